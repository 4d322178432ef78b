/**
 * Asks the master over its Unix socket: one request for each connection, JSON lines, any number of events, then one
 * answer. Each way in which that can fail has its own code, because each is mended in another way: not running, no
 * permission, no answer in time, an answer that makes no sense, a master that ended in the middle.
 */
import { connect } from 'node:net';
import { isErrorCode, SpushError } from '../shared/base/errors.js';
import {
  CONTROL_COMMANDS,
  CONTROL_LINE_BYTES_MAX,
  CONTROL_VERSION,
  type ControlArgsIn,
  type ControlCommandName,
  type ControlData,
  type ControlEvent,
  type ControlResponse,
  controlResponseSchema,
} from '../shared/protocol/control-commands.js';

export interface ControlTarget {
  readonly mode: string;
  /** Path of the socket. */
  readonly socket: string;
}

export interface ControlCallOptions {
  /** For the whole call, from connecting to the answer. */
  readonly deadlineMs: number;
  /** Work of many steps: the deadline is for the silence before each event, not for all of them. */
  readonly renewedByEvents?: boolean;
  onEvent?(event: ControlEvent): void;
}

export function callControl<C extends ControlCommandName>(
  target: ControlTarget,
  command: C,
  args: ControlArgsIn<C>,
  options: ControlCallOptions,
): Promise<ControlData<C>> {
  const { socket: path, mode } = target;
  const { deadlineMs } = options;
  const master = `the master of mode ${mode} (${path})`;
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    let received = Buffer.alloc(0);
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      socket.destroy();
      settle();
    };
    const fail = (error: Error) => finish(() => reject(error));
    const timer = setTimeout(() => fail(tooLate()), deadlineMs);
    const tooLate = () => {
      const text = `${master} did not answer ${command} in ${deadlineMs} ms`;
      return new SpushError('CONTROL_NO_ANSWER', text);
    };
    socket.on('connect', () => {
      socket.write(`${JSON.stringify({ v: CONTROL_VERSION, id: 1, cmd: command, args })}\n`);
    });
    socket.on('error', (error) => fail(connectionError(error, target, command)));
    socket.on('close', () =>
      fail(new SpushError('RPC_PEER_GONE', `${master} closed the connection before it answered ${command}`)),
    );
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      try {
        for (let end = received.indexOf(10); end >= 0; end = received.indexOf(10)) {
          const response = readLine(received.subarray(0, end), master);
          received = received.subarray(end + 1);
          if ('event' in response) {
            if (options.renewedByEvents) timer.refresh();
            options.onEvent?.(response.event);
          } else if (response.ok) {
            const data = readData(command, response.data, master);
            return finish(() => resolve(data));
          } else {
            return fail(answeredError(response.error));
          }
        }
        if (received.length > CONTROL_LINE_BYTES_MAX) throw tooLong(master);
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)));
      }
    });
  });
}

function readLine(line: Buffer, master: string): ControlResponse {
  if (line.length > CONTROL_LINE_BYTES_MAX) throw tooLong(master);
  try {
    return controlResponseSchema.parse(JSON.parse(line.toString('utf8')));
  } catch (cause) {
    throw new SpushError('CONTROL_BAD_ANSWER', `${master} sent what is not a line of the protocol`, {
      cause,
    });
  }
}

function readData<C extends ControlCommandName>(command: C, data: unknown, master: string): ControlData<C> {
  const parsed = CONTROL_COMMANDS[command].data.safeParse(data);
  if (parsed.success) return parsed.data as ControlData<C>;
  const text = `${master} answered ${command} in a form this version does not know; is it of another version?`;
  throw new SpushError('CONTROL_BAD_ANSWER', text, { cause: parsed.error });
}

function tooLong(master: string): SpushError {
  return new SpushError(
    'CONTROL_BAD_ANSWER',
    `${master} sent a line longer than ${CONTROL_LINE_BYTES_MAX} bytes`,
  );
}

function answeredError({ code, message }: { code: string; message: string }): SpushError {
  return isErrorCode(code)
    ? new SpushError(code, message)
    : new SpushError('INTERNAL', `${code}: ${message}`);
}

function connectionError(
  error: NodeJS.ErrnoException,
  { mode, socket }: ControlTarget,
  command: string,
): SpushError {
  const cause = error;
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ECONNREFUSED': {
      const why =
        error.code === 'ECONNREFUSED' ? 'nobody listens on the control socket' : 'there is no control socket';
      return new SpushError('NOT_RUNNING', `mode ${mode} is not running: ${why} at ${socket}`, { cause });
    }
    case 'EACCES':
    case 'EPERM':
      return new SpushError(
        'CONTROL_NO_PERMISSION',
        `no permission for the control socket of mode ${mode} (${socket}); run the command as the user that started it`,
        { cause },
      );
    // The socket's queue of new connections is full, as the master accepts none.
    case 'EAGAIN':
      return new SpushError(
        'CONTROL_NO_ANSWER',
        `the control socket of mode ${mode} (${socket}) takes no more calls`,
        {
          cause,
        },
      );
    default:
      return new SpushError(
        'RPC_PEER_GONE',
        `the connection to the master of mode ${mode} (${socket}) broke during ${command}: ${error.message}`,
        { cause },
      );
  }
}
