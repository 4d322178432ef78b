/** From a line of the control socket to the handler it asks for, and to its answer. */
import type { Log } from '../../platform/log/log.js';
import { errorText, isSpushError, SpushError } from '../../shared/base/errors.js';
import { didYouMean } from '../../shared/base/nearest.js';
import {
  CONTROL_COMMANDS,
  CONTROL_VERSION,
  type ControlCommandName,
  type ControlResponse,
  controlRequestSchema,
} from '../../shared/protocol/control-commands.js';
import type { ControlHandlers } from './control-handlers.js';

/** The id of an answer to a line whose own id could not be read. */
const NO_ID = 0;

export interface DispatchDeps {
  readonly handlers: ControlHandlers;
  readonly log: Log;
}

/** Never throws: whatever is wrong becomes the answer. */
export async function dispatch(
  { handlers, log }: DispatchDeps,
  line: string,
  send: (response: ControlResponse) => void,
): Promise<void> {
  let id = NO_ID;
  try {
    const request = parseRequest(line);
    id = request.id;
    const { cmd } = request;
    if (!isCommand(cmd)) {
      const near = didYouMean(cmd, Object.keys(CONTROL_COMMANDS));
      throw new SpushError('CONTROL_COMMAND_UNKNOWN', `there is no control command "${cmd}".${near}`);
    }
    const data = await call(handlers, cmd, request.args, (event) => send({ id, event }));
    send({ id, ok: true, data });
  } catch (error) {
    if (error instanceof UnreadableRequest) id = error.id;
    if (!isSpushError(error)) {
      log.error('control.fault', {
        error: errorText(error),
        stack: error instanceof Error ? error.stack : undefined,
      });
    }
    const code = isSpushError(error) ? error.code : 'INTERNAL';
    send({ id, ok: false, error: { code, message: errorText(error) } });
  }
}

class UnreadableRequest extends SpushError {
  readonly id: number;

  constructor(id: number, message: string) {
    super('CONTROL_BAD_REQUEST', message);
    this.id = id;
  }
}

function parseRequest(line: string): { id: number; cmd: string; args: Record<string, unknown> } {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    throw new UnreadableRequest(NO_ID, `a control request is one line of JSON: ${errorText(error)}`);
  }
  const parsed = controlRequestSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'request'}: ${message}`);
  throw new UnreadableRequest(
    readableId(json),
    `not a control request of version ${CONTROL_VERSION}: ${faults.join('; ')}`,
  );
}

function readableId(json: unknown): number {
  if (typeof json !== 'object' || json === null || !('id' in json)) return NO_ID;
  return typeof json.id === 'number' && Number.isInteger(json.id) ? json.id : NO_ID;
}

function isCommand(cmd: string): cmd is ControlCommandName {
  return Object.hasOwn(CONTROL_COMMANDS, cmd);
}

async function call<C extends ControlCommandName>(
  handlers: ControlHandlers,
  cmd: C,
  args: Record<string, unknown>,
  progress: Parameters<ControlHandlers[C]>[1],
): Promise<unknown> {
  const parsed = CONTROL_COMMANDS[cmd].args.safeParse(args);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'args'}: ${message}`);
    throw new SpushError(
      'CONTROL_BAD_REQUEST',
      `${cmd} cannot be done with these arguments: ${faults.join('; ')}`,
    );
  }
  // The schema of a command and its handler belong together by their key, which the type of a union cannot say.
  const handler = handlers[cmd] as (args: unknown, progress: unknown) => Promise<unknown>;
  return handler(parsed.data, progress);
}
