/**
 * Connections on their way from the master to a Worker. node:cluster gives a Worker one accepted connection at a time and
 * waits for its word; when the Worker dies first, node waits for ever: the client hangs, and the master keeps a
 * descriptor. So the master notes what is under way and closes it when the Worker ends; the client tries again.
 *
 * The messages are node's own (lib/internal/cluster, `act: 'newconn'` and its `ack`); where they look otherwise nothing is
 * noted and all is as node does it. The test that kills Workers holds them.
 */
import type { ChildProcess } from 'node:child_process';

interface Handle {
  close(): void;
}

export function closeConnectionsUnderWay(worker: ChildProcess): void {
  const underWay = new Map<number, Handle>();
  const send = worker.send.bind(worker) as (...args: unknown[]) => boolean;
  worker.send = ((message: unknown, handle: unknown, ...rest: unknown[]): boolean => {
    const seq = newConnectionSeq(message);
    if (seq !== null && isHandle(handle)) underWay.set(seq, handle);
    return send(message, handle, ...rest);
  }) as ChildProcess['send'];
  worker.on('internalMessage', (message: unknown) => {
    if (isObject(message) && typeof message['ack'] === 'number') underWay.delete(message['ack']);
  });
  worker.once('exit', () => {
    // Words that arrived before the end are heard first.
    setImmediate(() => {
      for (const handle of underWay.values()) handle.close();
      underWay.clear();
    });
  });
}

function newConnectionSeq(message: unknown): number | null {
  if (!isObject(message) || message['cmd'] !== 'NODE_CLUSTER' || message['act'] !== 'newconn') return null;
  return typeof message['seq'] === 'number' ? message['seq'] : null;
}

function isHandle(value: unknown): value is Handle {
  return isObject(value) && typeof value['close'] === 'function';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
