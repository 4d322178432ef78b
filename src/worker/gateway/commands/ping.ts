import type { CommandHandler } from './command-context.js';

export const ping: CommandHandler<'ping'> = () => ({ body: {} });
