/**
 * The connections of a Worker that are not WebSockets: HTTP calls, those kept after their calls, and those that have said
 * nothing yet. Each costs a descriptor, and strangers can open as many as they like, so here are their bounds, and the way
 * they end without cutting a call.
 *
 *     silent   nothing was answered on it yet, and no call is under way
 *     busy     at least one call is under way
 *     kept     calls were answered on it, and none is under way
 *
 * When there is no room for a new one, the oldest silent one goes, else the oldest kept one; busy ones stay. When the
 * Worker leaves (`leave`), each connection goes to another Worker as soon as it stands between two messages. When there is
 * no other (`close`), calls are told that no other call follows, and what is idle is closed a moment later.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ADDRESS_UNKNOWN } from '../../platform/auth/client-address.js';
import type { Log } from '../../platform/log/log.js';
import { type RefusalLog, refusalLog } from '../../platform/log/refusal-log.js';
import { seldomLog } from '../../platform/log/seldom-log.js';
import { type Clock, type Moment, msSince } from '../../shared/base/clock.js';
import { endsConnection, isBetweenMessages, stopParsing } from './http-parser.js';
import { closeSoon } from './last-words.js';
import { takenBytes } from './taken-bytes.js';

/** Calls that a client may have sent on one connection before it has read the answers (RFC 9112 §9.3.2). */
export const PIPELINED_PROMISED = 16;
/** Calls that may be under way: over TLS one counts until its answer was confirmed, a moment after the client has it. */
export const PIPELINED_MAX = 2 * PIPELINED_PROMISED;
/** How often connections are looked at, and while the Worker leaves or closes. */
const LOOK_MS = 5000;
const LOOK_LEAVING_MS = 50;
/** An answer of which the client takes nothing for this long is given up. */
const STALLED_MS = 60_000;
/** The same while the Worker leaves or closes, whose end waits for it. */
const STALLED_LEAVING_MS = 5000;
/** When the server stops: what is idle for this long is closed. A call that was on its way has arrived by then. */
const LEAD_MS = 1000;
/** When the Worker leaves or the server stops: a request that has begun gets this much to arrive whole … */
const GRACE_MS = 2000;
/** … and longer only while its bytes come at this rate at least, which no caller of ours falls below. */
const RATE_BYTES_MIN = 8192;

export type HttpRefusal = 'http' | 'http-address' | 'pipelined';

export interface HttpConnectionsDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Of this Worker, and of one address. */
  readonly limits: () => { readonly max: number; readonly perAddress: number };
  /** What counts as one address; null for one that is not bounded on its own. */
  readonly addressKey: (address: string) => string | null;
  readonly onRefused: (reason: HttpRefusal) => void;
  /**
   * Gives the connection to another Worker; resolves with false when none takes it, and then it is served here again.
   * Null where connections cannot travel: TLS ends in this process.
   */
  readonly giveBack: ((socket: Socket, kept: boolean) => Promise<boolean>) | null;
}

interface Connection {
  readonly socket: Socket;
  /** What is written to: of TLS the socket inside. */
  inner: Socket;
  readonly key: string | null;
  /** Calls under way. */
  readonly calls: Map<ServerResponse, IncomingMessage>;
  answered: boolean;
  /** Not null when what followed its calls is not HTTP: the text behind their answers ('' for none), which ends the connection. */
  lastWords: string | null;
  /** Since when no call is under way; the first moment of a new one. */
  idleSince: Moment;
  /** On its way to another Worker: nothing is read here. */
  away: boolean;
  /** Nobody took it: it is closed here. */
  stays: boolean;
  /** What its client had taken of the answers at the last look, and when it took something last. */
  takenBytes: number;
  takenAt: Moment;
  /** What had come since the Worker leaves or closes, when it was looked at last. */
  readBytes: number;
  readAt: Moment;
}

export class HttpConnections {
  readonly #deps: HttpConnectionsDeps;
  readonly #log: Pick<Log, 'warn'>;
  readonly #refusals: RefusalLog;
  readonly #all = new Map<Socket, Connection>();
  readonly #silent = new Set<Connection>();
  readonly #kept = new Set<Connection>();
  readonly #perAddress = new Map<string, Set<Connection>>();
  #mode: 'open' | 'leaving' | 'closing' = 'open';
  /** When the mode began. */
  #since: Moment;
  #timer: NodeJS.Timeout;
  #whenNone: (() => void)[] = [];

  constructor(deps: HttpConnectionsDeps) {
    this.#deps = deps;
    this.#log = seldomLog(deps.log, deps.clock);
    this.#refusals = refusalLog(deps.log, deps.clock);
    this.#since = deps.clock.moment();
    this.#timer = this.#lookEvery(LOOK_MS);
  }

  get size(): number {
    return this.#all.size;
  }

  /** A new connection, or one that another Worker `kept`. False when there is no room for it; then it is closed already. */
  add(socket: Socket, kept: boolean): boolean {
    const { clock, addressKey } = this.#deps;
    const key = addressKey(socket.remoteAddress ?? '');
    const refusal = this.#makeRoom(key);
    if (refusal) {
      this.#refuse(socket, refusal);
      return false;
    }
    const now = clock.moment();
    const connection: Connection = {
      socket,
      inner: socket,
      key,
      calls: new Map(),
      answered: kept,
      lastWords: null,
      idleSince: now,
      away: false,
      stays: false,
      takenBytes: 0,
      takenAt: now,
      readBytes: 0,
      readAt: now,
    };
    this.#all.set(socket, connection);
    (kept ? this.#kept : this.#silent).add(connection);
    if (key !== null) this.#addressSet(key).add(connection);
    socket.once('close', () => this.#forget(connection));
    if (this.#mode !== 'open') this.#look();
    return true;
  }

  /** The TLS handshake is done: what goes to the client goes through this. */
  secured(inner: Socket): void {
    const connection = this.#of(inner);
    if (connection) connection.inner = inner;
  }

  /** A call has begun. False when its connection has too many under way, and is closed. */
  begin(req: IncomingMessage, res: ServerResponse): boolean {
    const connection = this.#of(req.socket);
    if (!connection || isOver(req.socket)) return false;
    if (connection.calls.size >= PIPELINED_MAX) {
      this.#refuse(req.socket, 'pipelined');
      return false;
    }
    const before = [...connection.calls.keys()];
    // An earlier answer ends the connection, so this call could not be answered. The client is told and sends it again.
    if (before.some(endsConnection)) {
      stopParsing(req.socket);
      return false;
    }
    if (this.#endsCalls) {
      for (const each of before) each.shouldKeepAlive = true;
      res.shouldKeepAlive = false;
    }
    connection.calls.set(res, req);
    this.#silent.delete(connection);
    this.#kept.delete(connection);
    // An answer queued behind another gets no `close` event when its connection ends; `#forget` covers that.
    res.once('close', () => this.#answered(connection, res));
    return true;
  }

  /**
   * It is on its way to become a WebSocket, and counts here until `forget`; it is neither closed nor given away. False when
   * calls that came before on it have no answer yet, which would be written between its frames; then it is closed.
   */
  upgrading(socket: Socket): boolean {
    const connection = this.#of(socket);
    if (!connection || isOver(socket)) return false;
    if (connection.calls.size > 0) {
      this.#refuse(socket, 'pipelined');
      return false;
    }
    this.#silent.delete(connection);
    this.#kept.delete(connection);
    connection.away = true;
    return true;
  }

  /**
   * Bytes arrived that are no HTTP. When calls before them arrived whole, the connection ends behind their answers, with `text`
   * as the last one. Returns false when there are no such calls: then the caller ends the connection.
   */
  malformed(socket: Socket, text: string | null): boolean {
    const connection = this.#of(socket);
    if (!connection || !hasWholeCalls(connection)) return false;
    connection.lastWords ??= text ?? '';
    return true;
  }

  /** It is a WebSocket now, or was refused. */
  forget(socket: Socket): void {
    const connection = this.#of(socket);
    if (connection) this.#forget(connection);
  }

  /** Nobody here reads from it: what Node has to say about it is not written to it. */
  isAway(socket: Socket): boolean {
    return this.#of(socket)?.away === true;
  }

  /** Every connection goes to another Worker, new ones too. Resolves when none is left. */
  leave(): Promise<void> {
    return this.#end('leaving');
  }

  /** The Worker stays after all. */
  stay(): void {
    this.#setMode('open');
    for (const connection of this.#all.values()) connection.stays = false;
  }

  /** Every connection ends. Resolves when none is left. */
  close(): Promise<void> {
    return this.#end('closing');
  }

  /** What is left is closed as it is. */
  cut(): void {
    for (const { socket } of [...this.#all.values()]) socket.destroy();
  }

  #end(mode: 'leaving' | 'closing'): Promise<void> {
    if (this.#mode !== mode) {
      this.#setMode(mode);
      if (this.#endsCalls) {
        for (const { calls } of this.#all.values()) {
          const newest = [...calls.keys()].at(-1);
          if (newest) newest.shouldKeepAlive = false;
        }
      }
    }
    this.#look();
    if (this.#all.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenNone.push(resolve));
  }

  /** Connections end here, each with the answer to its newest call. */
  get #endsCalls(): boolean {
    return this.#mode === 'closing' || (this.#mode === 'leaving' && !this.#deps.giveBack);
  }

  #setMode(mode: 'open' | 'leaving' | 'closing'): void {
    this.#mode = mode;
    this.#since = this.#deps.clock.moment();
    for (const connection of this.#all.values()) {
      connection.readBytes = connection.socket.bytesRead;
      connection.readAt = this.#since;
    }
    clearInterval(this.#timer);
    this.#timer = this.#lookEvery(mode === 'open' ? LOOK_MS : LOOK_LEAVING_MS);
  }

  #lookEvery(ms: number): NodeJS.Timeout {
    return setInterval(() => this.#look(), ms).unref();
  }

  #look(): void {
    for (const connection of [...this.#all.values()]) {
      if (connection.away) continue;
      if (this.#mode === 'open') this.#giveUpStalled(connection, STALLED_MS);
      else this.#lead(connection);
    }
  }

  /** The next step of a connection on its way out. */
  #lead(connection: Connection): void {
    const { giveBack } = this.#deps;
    const { inner, calls } = connection;
    const between = calls.size === 0 && inner.writableLength === 0 && isBetweenMessages(inner) !== false;
    if (!between) {
      this.#cutWhatTrickles(connection);
      this.#giveUpStalled(connection, STALLED_LEAVING_MS);
    } else if (this.#mode === 'leaving' && giveBack && !connection.stays)
      void this.#giveAway(connection, giveBack);
    else if (Math.min(this.#modeMs(), msSince(this.#deps.clock, connection.idleSince)) >= LEAD_MS)
      inner.destroySoon();
  }

  async #giveAway(
    connection: Connection,
    giveBack: NonNullable<HttpConnectionsDeps['giveBack']>,
  ): Promise<void> {
    const { socket, answered } = connection;
    connection.away = true;
    stopReading(socket);
    const gone = await giveBack(socket, answered);
    // A plain close(2) of this process's copy: the connection lives on with the other one.
    if (gone) socket.destroy();
    if (socket.destroyed) return;
    connection.away = false;
    connection.stays = true;
    goOnReading(socket);
  }

  /** A request that does not arrive holds up the end of this process. Calls that arrived whole before it are answered first. */
  #cutWhatTrickles(connection: Connection): void {
    const { socket, inner, calls } = connection;
    if (hasWholeCalls(connection) || this.#modeMs() < GRACE_MS) return;
    const now = this.#deps.clock.moment();
    const sinceMs = msSince(this.#deps.clock, connection.readAt);
    if (sinceMs < GRACE_MS) return;
    const bytes = socket.bytesRead - connection.readBytes;
    connection.readBytes = socket.bytesRead;
    connection.readAt = now;
    if (bytes >= (RATE_BYTES_MIN * sinceMs) / 1000) return;
    if ([...calls.keys()].every((res) => !res.headersSent)) inner.write(TOO_SLOW);
    closeSoon(inner);
  }

  #giveUpStalled(connection: Connection, stalledMs: number): void {
    const { socket, inner } = connection;
    const taken = takenBytes(socket);
    if (inner.writableLength === 0 || taken !== connection.takenBytes) {
      connection.takenBytes = taken;
      connection.takenAt = this.#deps.clock.moment();
    } else if (msSince(this.#deps.clock, connection.takenAt) >= stalledMs) {
      socket.destroy();
    }
  }

  #modeMs(): number {
    return msSince(this.#deps.clock, this.#since);
  }

  #answered(connection: Connection, res: ServerResponse): void {
    connection.calls.delete(res);
    if (connection.lastWords !== null && !hasWholeCalls(connection)) this.#sayLast(connection);
    if (connection.calls.size > 0 || connection.socket.destroyed) return;
    connection.answered = true;
    connection.idleSince = this.#deps.clock.moment();
    if (this.#all.has(connection.socket)) this.#kept.add(connection);
    if (this.#mode !== 'open') this.#lead(connection);
  }

  /** A call that arrived in part is never answered: the last words take the place of its answer, unless that has begun. */
  #sayLast({ inner, calls, lastWords }: Connection): void {
    if (lastWords && inner.writable && [...calls.keys()].every((res) => !res.headersSent))
      inner.write(lastWords);
    closeSoon(inner);
  }

  #makeRoom(key: string | null): HttpRefusal | null {
    const { max, perAddress } = this.#deps.limits();
    if (key !== null && (this.#perAddress.get(key)?.size ?? 0) >= perAddress) {
      const own = [...this.#addressSet(key)];
      if (
        !this.#evict(own.find((each) => this.#silent.has(each)) ?? own.find((each) => this.#kept.has(each)))
      )
        return 'http-address';
    }
    if (this.#all.size < max) return null;
    return this.#evict(first(this.#silent) ?? first(this.#kept)) ? null : 'http';
  }

  #evict(connection: Connection | undefined): boolean {
    if (!connection) return false;
    this.#log.warn('http.evicted', {
      address: connection.socket.remoteAddress,
      answered: connection.answered,
      open: this.#all.size,
    });
    this.#forget(connection);
    connection.socket.destroy();
    return true;
  }

  #refuse(socket: Socket, reason: HttpRefusal): void {
    this.#deps.onRefused(reason);
    const address = socket.remoteAddress ?? ADDRESS_UNKNOWN;
    this.#refusals.warn('http.refused', { reason, address, open: this.#all.size });
    socket.destroy();
    stopParsing(socket);
  }

  #forget(connection: Connection): void {
    if (!this.#all.delete(connection.socket)) return;
    this.#silent.delete(connection);
    this.#kept.delete(connection);
    if (connection.key !== null) this.#leaveAddress(connection.key, connection);
    if (this.#all.size > 0) return;
    for (const resolve of this.#whenNone.splice(0)) resolve();
  }

  #addressSet(key: string): Set<Connection> {
    const known = this.#perAddress.get(key);
    if (known) return known;
    const fresh = new Set<Connection>();
    this.#perAddress.set(key, fresh);
    return fresh;
  }

  #leaveAddress(key: string, connection: Connection): void {
    const set = this.#perAddress.get(key);
    set?.delete(connection);
    if (set?.size === 0) this.#perAddress.delete(key);
  }

  /** Of TLS the call's socket is the one inside; the one that was added is its parent. */
  #of(socket: Socket): Connection | undefined {
    return this.#all.get(socket) ?? this.#all.get(Reflect.get(socket, '_parent') as Socket);
  }
}

function hasWholeCalls({ calls }: Connection): boolean {
  return [...calls.values()].some((req) => req.complete);
}

/** True when it is closed or its last answer was written. Its parser is stopped, or it would go on with bytes that it has already. */
function isOver(socket: Socket): boolean {
  if (socket.writable) return false;
  socket.destroy();
  stopParsing(socket);
  return true;
}

const TOO_SLOW = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

function first(connections: ReadonlySet<Connection>): Connection | undefined {
  const [oldest] = connections;
  return oldest;
}

interface ReadingHandle {
  reading: boolean;
  readStop(): number;
  readStart(): number;
}

/** At the handle: what `socket.pause` leaves running is the reading itself. */
function stopReading(socket: Socket): void {
  const handle = Reflect.get(socket, '_handle') as ReadingHandle | null;
  handle?.readStop();
}

function goOnReading(socket: Socket): void {
  const handle = Reflect.get(socket, '_handle') as ReadingHandle | null;
  handle?.readStart();
}
