/** Whether somebody listens on the path of a Unix socket; tells also across containers that share the folder. */
import { connect } from 'node:net';

/** A listener answers a connection at once, even when its process is stopped; the kernel does it. */
const CONNECT_MS = 1000;

/** nobody: there is nothing; dead: something is there and nobody listens. Rejects when that cannot be told. */
export function whoListens(path: string): Promise<'nobody' | 'dead' | 'living'> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const settle = (who: 'nobody' | 'dead' | 'living'): void => {
      socket.destroy();
      resolve(who);
    };
    socket.setTimeout(CONNECT_MS, () => settle('living'));
    socket.once('connect', () => settle('living'));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') settle('nobody');
      // Something else is there than a socket.
      else if (error.code === 'ENOTSOCK') settle('dead');
      else if (error.code === 'ECONNREFUSED') settle('dead');
      // The backlog of a living listener is full.
      else if (error.code === 'EAGAIN') settle('living');
      else reject(error);
    });
  });
}
