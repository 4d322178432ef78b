/**
 * One frame of a client as a request, or as the fault that answers it. Pure: knows nothing of sockets and sessions.
 *
 * Unreadable is what does not even have the protocol's envelope; ten of these in a row close the connection. A command
 * that is unknown or has a wrong body is a readable mistake.
 */
import { clipped } from '../../shared/base/well-formed.js';
import { textFault } from '../../shared/protocol/api-values.js';
import {
  ECHO_CHARS_MAX,
  fieldErrors,
  isWsCommandName,
  WS_COMMANDS,
  type WsCommandBody,
  type WsCommandName,
  wsRequestSchema,
} from '../../shared/protocol/ws-commands.js';

export type Command = {
  [C in WsCommandName]: { readonly cmd: C; readonly id: string; readonly body: WsCommandBody<C> };
}[WsCommandName];

export interface Fault {
  readonly cmd: string;
  readonly id: string;
  readonly code: 400 | 404 | 415;
  readonly msg: string;
  readonly errors: readonly { path: string; message: string }[];
}

export type ReadFrame =
  | { readonly ok: true; readonly command: Command }
  | { readonly ok: false; readonly unreadable: boolean; readonly fault: Fault };

/** The parser's text quotes the frame. */
const REASON_UNITS_MAX = 100;

export function readFrame(text: string): ReadFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return unreadable('not JSON', [
      { path: '', message: error instanceof Error ? clipped(error.message, REASON_UNITS_MAX) : 'not JSON' },
    ]);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return unreadable('a request is one JSON object', [{ path: '', message: 'expected an object' }]);
  }
  const envelope = wsRequestSchema.safeParse(value);
  const cmd = echo(value, 'cmd') ?? 'error';
  const id = echo(value, 'id') ?? '';
  if (!envelope.success) {
    const fault: Fault = {
      cmd,
      id,
      code: 400,
      msg: 'missing or wrong field',
      errors: fieldErrors(envelope.error),
    };
    return { ok: false, unreadable: true, fault };
  }
  const request = envelope.data;
  if (!isWsCommandName(request.cmd)) {
    const errors = [{ path: 'cmd', message: `unknown; known are ${Object.keys(WS_COMMANDS).join(', ')}` }];
    return {
      ok: false,
      unreadable: false,
      fault: { cmd, id, code: 404, msg: `unknown cmd ${request.cmd}`, errors },
    };
  }
  const body = WS_COMMANDS[request.cmd].safeParse(request.body);
  if (!body.success) {
    const fault: Fault = {
      cmd,
      id,
      code: 400,
      msg: 'missing or wrong field',
      errors: fieldErrors(body.error, 'body'),
    };
    return { ok: false, unreadable: false, fault };
  }
  return { ok: true, command: { cmd: request.cmd, id: request.id, body: body.data } as Command };
}

export const BINARY_FAULT: Fault = {
  cmd: 'error',
  id: '',
  code: 415,
  msg: 'binary frames are not understood: send JSON as text',
  errors: [],
};

function unreadable(msg: string, errors: Fault['errors']): ReadFrame {
  return { ok: false, unreadable: true, fault: { cmd: 'error', id: '', code: 400, msg, errors } };
}

/** Only what a reply may hold: a client could not read one with half of a character in it. */
function echo(value: object, key: 'cmd' | 'id'): string | null {
  const field = Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
  const fits = typeof field === 'string' && field !== '' && textFault(field, ECHO_CHARS_MAX) === null;
  return fits ? field : null;
}
