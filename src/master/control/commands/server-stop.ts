/** `server.stop`: ends all children in order and says what is waited for; the master goes right after the answer. */
import type { ControlHandler } from '../control-handlers.js';

/** Resolves when all children have ended; a second caller joins the stop that is under way. */
export type StopNode = (reason: string, progress: (text: string) => void) => Promise<void>;

export function serverStop(stopNode: StopNode): ControlHandler<'server.stop'> {
  return async (_args, progress) => {
    await stopNode('server stop', (text) => progress({ text }));
    return { pid: process.pid };
  };
}
