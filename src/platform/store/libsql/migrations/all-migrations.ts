/** The steps in order; the program's schema version is that of the last. */
import { messages } from './0001-messages.js';
import type { Migration } from './migration.js';

export const MIGRATIONS: readonly Migration[] = [messages];
