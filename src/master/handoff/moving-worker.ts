/** A Worker, as far as moving connections is concerned. */
import type { Child } from '../supervisor/child.js';

export type MovingWorker = Pick<Child, 'role' | 'index' | 'name' | 'pid' | 'peer' | 'ended' | 'kill'>;
