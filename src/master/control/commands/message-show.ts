/** `message.show`: what is known of a message; a Worker asks the store and the spills of all nodes. */
import { type AskedChild, askAWorker } from '../ask-a-worker.js';
import type { ControlHandler } from '../control-handlers.js';

/** Longer than a Worker waits for its parts, shorter than the command line waits for the master. */
const DEADLINE_MS = 2500;

export function messageShow(workers: () => readonly AskedChild[]): ControlHandler<'message.show'> {
  return (args) => askAWorker(workers(), { name: 'message.show', args, deadlineMs: DEADLINE_MS });
}
