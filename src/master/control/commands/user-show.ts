/** `user.show`: what is known of a user; a Worker asks all nodes and the store. */
import { type AskedChild, askAWorker } from '../ask-a-worker.js';
import type { ControlHandler } from '../control-handlers.js';

/** Longer than a Worker waits for its parts, shorter than the command line waits for the master. */
const DEADLINE_MS = 2300;

export function userShow(workers: () => readonly AskedChild[]): ControlHandler<'user.show'> {
  return (args) => askAWorker(workers(), { name: 'user.show', args, deadlineMs: DEADLINE_MS });
}
