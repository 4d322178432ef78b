/**
 * The life of a frame: rate, envelope, command, handler, reply. Every frame gets its answer, and nothing a client sends
 * ends more than its own connection.
 *
 * A few commands run at a time, and none while too much is unsent: the rest waits in the socket, where TCP holds its client
 * back. What was read before waits here, no more than one chunk of a socket. When the connection is gone, so is what waits.
 */

import { nowSeconds } from '../../shared/base/clock.js';
import { errorText, forStrangers, isSpushError, type SpushError } from '../../shared/base/errors.js';
import type { WsCommandName } from '../../shared/protocol/ws-commands.js';
import { LOGIN_RETRY_SECONDS, replyText, UNREADABLE_FRAMES_MAX } from '../../shared/protocol/ws-frames.js';
import type { LiveSession } from '../sessions/live-session.js';
import { ack } from './commands/ack.js';
import type { CommandDeps, CommandHandler, CommandResult } from './commands/command-context.js';
import { list } from './commands/list.js';
import { login } from './commands/login.js';
import { logout } from './commands/logout.js';
import { ping } from './commands/ping.js';
import { read } from './commands/read.js';
import { unread } from './commands/unread.js';
import type { FrameTaker } from './frame-turns.js';
import { RateBucket, type RateBucketState } from './rate-bucket.js';
import { BINARY_FAULT, type Command, type Fault, readFrame } from './read-frame.js';
import { textFrame } from './text-frame.js';

const HANDLERS: { readonly [C in WsCommandName]: CommandHandler<C> } = {
  login,
  logout,
  ping,
  ack,
  list,
  read,
  unread,
};

/** Refused commands in a row after which a flooding client is sent away. */
const REFUSED_MAX = 10_000;
const RATE_RETRY_SECONDS = 1;
/** Commands of one connection that run at a time. */
export const RUNNING_MAX = 4;

/** What of it travels when the connection is handed to another Worker. */
export interface MessageLoopState {
  readonly rate: RateBucketState;
  /** Commands refused for their rate, in a row. */
  readonly refused: number;
}

export class MessageLoop implements FrameTaker {
  readonly #session: LiveSession;
  readonly #deps: CommandDeps;
  readonly #rate: RateBucket;
  #refused: number;
  #running = 0;
  /** Frames that were read and not looked at. */
  #waiting: { readonly data: Buffer; readonly isBinary: boolean }[] = [];
  /** Nothing is read from the client. */
  #paused = false;
  #awaitsRoom = false;

  /** @param state of a connection that comes from another Worker. */
  constructor(session: LiveSession, deps: CommandDeps, state: MessageLoopState | null) {
    this.#session = session;
    this.#deps = deps;
    const { clock } = deps;
    this.#rate = state ? new RateBucket(state.rate) : RateBucket.full(this.#rateLimit(), clock.moment());
    this.#refused = state?.refused ?? 0;
  }

  /** Commands that have no reply yet, and frames that were not looked at. */
  get running(): number {
    return this.#running + this.#waiting.length;
  }

  get state(): MessageLoopState {
    return { rate: this.#rate.state, refused: this.#refused };
  }

  onMessage(data: Buffer, isBinary: boolean): void {
    if (!this.#session.connection.open) return;
    this.#deps.stats.requests += 1;
    this.#waiting.push({ data, isBinary });
    // Those before it are seen to already.
    if (this.#waiting.length > 1) return;
    if (this.#mayTake && this.#deps.frames.mayTake(this, data.length)) this.#take();
    else this.#goOn();
  }

  /** For its turns: the next frame that waits. */
  takeNext(): boolean {
    if (!this.#session.connection.open) this.#waiting = [];
    if (this.#waiting.length > 0 && this.#mayTake) this.#take();
    this.#readOnlyIf(this.#waiting.length === 0);
    if (this.#waiting.length === 0) return false;
    if (this.#mayTake) return true;
    // Else the end of a command goes on.
    if (this.#running === 0) this.#goOnWhenEmptied();
    return false;
  }

  get #mayTake(): boolean {
    return this.#running < RUNNING_MAX && this.#session.connection.flowing;
  }

  /** The hand-over stopped reading and started it again: pauses it once more if this loop holds the client back. */
  readOn(): void {
    if (this.#paused) this.#session.connection.pause();
  }

  #goOn(): void {
    this.#readOnlyIf(this.#waiting.length === 0);
    if (this.#waiting.length > 0) this.#deps.frames.wait(this);
  }

  #goOnWhenEmptied(): void {
    if (this.#awaitsRoom) return;
    this.#awaitsRoom = true;
    void this.#session.connection.emptied().then(() => {
      this.#awaitsRoom = false;
      this.#goOn();
    });
  }

  #readOnlyIf(reading: boolean): void {
    if (this.#paused === !reading) return;
    this.#paused = !reading;
    if (reading) this.#session.connection.resume();
    else this.#session.connection.pause();
  }

  #take(): void {
    const next = this.#waiting.shift();
    if (!next) return;
    const { data: session, connection } = this.#session;
    const now = this.#deps.clock.moment();
    const frame = next.isBinary ? null : readFrame(next.data.toString());
    if (!this.#rate.take(this.#rateLimit(), now)) {
      this.#tooMany(frame);
      return;
    }
    this.#refused = 0;
    if (frame === null) {
      this.#fault(BINARY_FAULT);
      return;
    }
    if (frame.ok) {
      session.unreadable = 0;
      void this.#run(frame.command);
      return;
    }
    session.unreadable = frame.unreadable ? session.unreadable + 1 : 0;
    this.#fault(frame.fault);
    if (session.unreadable >= UNREADABLE_FRAMES_MAX) {
      connection.sendAway(`${UNREADABLE_FRAMES_MAX} unreadable frames in a row`);
    }
  }

  async #run(command: Command): Promise<void> {
    const { connection } = this.#session;
    this.#running += 1;
    try {
      const result = await dispatch(command, this.#session, this.#deps);
      // A large answer to another command may have been written meanwhile.
      while (connection.open && !connection.flowing) await connection.emptied();
      this.#reply(command.cmd, command.id, 200, 'ok', result.body);
      result.afterReply?.();
    } catch (error) {
      this.#failed(command, error);
    } finally {
      this.#running -= 1;
      if (this.#waiting.length > 0) this.#goOn();
    }
  }

  #failed(command: Command, error: unknown): void {
    // What was dropped because its connection is gone is nobody's loss.
    if (isSpushError(error, 'SHUTTING_DOWN') && !this.#session.connection.open) return;
    if (isSpushError(error)) {
      const { cmd, id } = command;
      this.#sayRefused(cmd, statusFor(error), error.code);
      const told = forStrangers(error);
      if (told !== error) {
        this.#deps.seldom.warn('gateway.unavailable', { cmd, code: error.code, error: error.message });
      }
      this.#reply(cmd, id, statusFor(told), told.message, faultBody(cmd, told));
      return;
    }
    // Our own bug: this command fails with 500, the log has it whole, everybody else goes on.
    this.#deps.log.error('gateway.command-failed', {
      cmd: command.cmd,
      session: this.#session.data.id,
      error: errorText(error),
      stack: error instanceof Error ? error.stack : undefined,
    });
    this.#reply(command.cmd, command.id, 500, 'something went wrong here; it is logged', {});
  }

  #tooMany(frame: ReturnType<typeof readFrame> | null): void {
    this.#refused += 1;
    if (this.#refused > REFUSED_MAX) {
      this.#session.connection.sendAway('far too many commands');
      return;
    }
    const { cmd, id } = frame === null ? BINARY_FAULT : frame.ok ? frame.command : frame.fault;
    this.#sayRefused(cmd, 429, 'TOO_MANY');
    this.#reply(cmd, id, 429, 'too many commands', { retryAfter: RATE_RETRY_SECONDS });
  }

  #fault(fault: Fault): void {
    this.#sayRefused(fault.cmd, fault.code, 'BAD_REQUEST');
    this.#reply(
      fault.cmd,
      fault.id,
      fault.code,
      fault.msg,
      fault.errors.length > 0 ? { errors: fault.errors } : {},
    );
  }

  #reply(cmd: string, id: string, code: number, msg: string, body: object): void {
    const text = replyText({ cmd, id, ts: nowSeconds(this.#deps.clock), code, msg, body });
    this.#session.connection.put(textFrame(text));
  }

  /** Of a login: who has to find out why somebody is not logged in looks for his address or session. */
  #sayRefused(cmd: string, status: number, reason: string): void {
    const { log, eachRefusal } = this.#deps;
    if (!log.debugging || cmd !== 'login') return;
    const { id: session, address } = this.#session.data;
    eachRefusal('login.refused', { reason, status, address, session });
  }

  #rateLimit(): { perSecond: number; burst: number } {
    const { CommandsPerSecond, CommandsBurst } = this.#deps.system();
    return { perSecond: CommandsPerSecond, burst: CommandsBurst };
  }
}

function dispatch<C extends WsCommandName>(
  command: Command & { readonly cmd: C },
  session: LiveSession,
  deps: CommandDeps,
): Promise<CommandResult> | CommandResult {
  const handler = HANDLERS[command.cmd] as CommandHandler<C>;
  return handler(session, command.body as never, deps);
}

function statusFor(error: SpushError): number {
  return error.status === 504 ? 503 : error.status;
}

function faultBody(cmd: WsCommandName, error: SpushError): object {
  const retry = cmd === 'login' && [401, 429, 503].includes(statusFor(error));
  return retry ? { ...error.detail, retryAfter: LOGIN_RETRY_SECONDS } : error.detail;
}
