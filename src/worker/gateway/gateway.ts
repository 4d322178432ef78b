/**
 * The WebSocket side of a Worker: from the upgrade to the close. Decides who may connect, opens the session, feeds its
 * frames to the message loop, and clears everything away when the connection is gone.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import type { ForeignCaller } from '../../platform/auth/foreign-caller.js';
import type { SystemConfig } from '../../platform/config/config-schema.js';
import { type RefusalLog, refusalLog } from '../../platform/log/refusal-log.js';
import { nowSeconds } from '../../shared/base/clock.js';
import type { SessionData } from '../../shared/domain/session.js';
import { CLOSE, type CloseCode } from '../../shared/protocol/close-codes.js';
import {
  eventText,
  HEARTBEAT_TIMEOUT_SECONDS,
  HEARTBEAT_TRIES,
  LOGIN_RETRY_SECONDS,
  RECONNECT_SECONDS,
} from '../../shared/protocol/ws-frames.js';
import type { SentMarks } from '../delivery/sent-marks.js';
import { buildWebSocket } from '../handoff/socket-surgery.js';
import type { Connection, LiveSession } from '../sessions/live-session.js';
import { createSessionData } from '../sessions/session.js';
import type { SessionRegistry } from '../sessions/session-registry.js';
import type { Places, VisitorPlaces } from '../sessions/visitor-places.js';
import type { AddressBudget } from './address-budget.js';
import type { Backlog } from './backlog.js';
import { closePaced } from './close-paced.js';
import type { CommandDeps } from './commands/command-context.js';
import { ControlFrames } from './control-frames.js';
import type { HandshakeMeter } from './handshake-meter.js';
import { closeSoon } from './last-words.js';
import { MessageLoop, type MessageLoopState } from './message-loop.js';
import { type Refusal, refuseUpgrade } from './refuse-upgrade.js';
import { headFault } from './request-head.js';
import { textFrame } from './text-frame.js';
import { WsConnection } from './ws-connection.js';

/** Pieces of one unfinished frame that are kept: a client that sends byte by byte gets this far. */
const CHUNKS_MAX = 4096;
/** Pings of one client that may wait for room to be answered. */
const PONGS_MAX = 16;
/** What a client gets to answer our close frame. */
const CLOSE_MS = 5000;
const KEEP_ALIVE_MS = 60_000;

/** RFC 6455. */
const VERSION = '13';
const KEY = /^[+/0-9A-Za-z]{22}==$/;
const NO_VISITOR_PLACE = {
  'visitors-address': { status: 429, msg: 'too many connections from this address have not logged in' },
  visitors: { status: 503, msg: 'no place for another connection that has not logged in' },
} as const;

/** A connection with all that serves it. */
export interface Attached {
  readonly session: LiveSession;
  readonly connection: WsConnection;
  readonly ws: WebSocket;
  readonly socket: Duplex;
  readonly loop: MessageLoop;
}

/** How connections end from now on. */
interface Closing {
  readonly code: CloseCode;
  readonly reason: string;
}

/** Another process has the place of this one. */
const REPLACED: Closing = { code: CLOSE.restart, reason: 'this process is replaced' };

export interface GatewayDeps extends CommandDeps {
  readonly sessions: SessionRegistry;
  readonly marks: Pick<SentMarks, 'add'>;
  readonly backlog: Backlog;
  readonly links: Places;
  readonly visitors: VisitorPlaces;
  readonly handshakes: HandshakeMeter;
  readonly budget: AddressBudget;
  readonly budgetKey: (address: string) => string | null;
  readonly clientAddress: (req: IncomingMessage) => string;
  readonly origins: ReadonlySet<string>;
  /** Why a page of elsewhere may not connect, in PUSHENV 0. */
  readonly foreign: ForeignCaller;
  /** Connections that this process has descriptors for. */
  readonly linksMax: () => number;
  /** Why a connection was refused, for metrics. */
  readonly onRefused: (reason: string) => void;
}

export class Gateway {
  readonly #deps: GatewayDeps;
  readonly #server: WebSocketServer;
  readonly #refusals: RefusalLog;
  readonly #attached = new Map<LiveSession, Attached>();
  #closing: Closing | null = null;
  /** Upgrades that wait for a permit. */
  #admitting = 0;

  constructor(deps: GatewayDeps) {
    this.#deps = deps;
    this.#refusals = refusalLog(deps.log, deps.clock);
    const { PayloadBytesMax, FragmentsMax } = deps.system();
    // ws has these two, its type declarations have not yet.
    const options: ServerOptions & { maxPendingAutoPongs: number; closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: PayloadBytesMax,
      maxFragments: FragmentsMax,
      maxBufferedChunks: CHUNKS_MAX,
      maxPendingAutoPongs: PONGS_MAX,
      closeTimeout: CLOSE_MS,
    };
    this.#server = new WebSocketServer(options);
  }

  /** Resolves with true when the connection is a WebSocket, with false when it was refused. Never rejects. */
  async onUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): Promise<boolean> {
    // Until ws takes over, a socket that fails is simply gone.
    const onError = (): void => {
      socket.destroy();
    };
    socket.on('error', onError);
    const address = this.#deps.clientAddress(req);
    const refuse = (reason: string, refusal: Refusal): void => {
      this.#refused(reason, address);
      refuseUpgrade(socket, refusal);
    };
    const faulty = this.#fault(req);
    if (faulty) {
      refuse(faulty.reason, faulty.refusal);
      return false;
    }
    const key = this.#deps.budgetKey(address);
    if (key !== null && !this.#deps.budget.takeLink(key, this.#deps.system().LinksPerAddress)) {
      refuse('address', {
        status: 429,
        msg: 'too many connections from this address',
        retryAfter: this.#retryAfter(),
      });
      return false;
    }
    const returnKey = (): void => {
      if (key !== null) this.#deps.budget.returnLink(key);
    };
    // A refused socket keeps its listener: its client may be gone before the refusal is written.
    const opened = await this.#admit(req, socket, head, address, returnKey, refuse);
    if (opened) socket.off('error', onError);
    return opened;
  }

  /** No new connections; the open ones are told and closed. Their clients come back spread over time. */
  stop(): void {
    this.#closing ??= { code: CLOSE.serverStops, reason: 'server stops' };
    for (const { connection } of this.#deps.sessions.all()) this.#end(connection, this.#closing);
  }

  /** Another process takes the place of this one: no new connections; the open ones go in paced slots, not all at once. */
  async drain(options: { withinMs: number }): Promise<void> {
    this.#closing = REPLACED;
    await this.closeReplaced([...this.#deps.sessions.all()], options);
  }

  /** Closes what cannot go to another process; the clients come back no faster than connections were seen to open. */
  async closeReplaced(sessions: readonly LiveSession[], options: { withinMs: number }): Promise<void> {
    const retryAfter = this.#deps.handshakes.retrySpread(sessions.length);
    const end = ({ connection }: LiveSession): void =>
      connection.end(REPLACED.code, REPLACED.reason, retryAfter());
    await closePaced(sessions, end, options);
  }

  /** This process has a descriptor for one more connection. */
  get hasRoom(): boolean {
    return this.#attached.size + this.#admitting < this.#deps.linksMax();
  }

  attached(session: LiveSession): Attached | undefined {
    return this.#attached.get(session);
  }

  /** A connection that was another Worker's, with its bytes that are not parsed yet; it is not read from before `serve`. */
  arrive(socket: Socket, head: Buffer, data: SessionData, state: MessageLoopState): Attached {
    return this.#attach(buildWebSocket(this.#server, socket, head), socket, data, state);
  }

  /** The connection is another Worker's, or on its way there: nothing of it is served here any more. */
  forget(session: LiveSession): void {
    this.#attached.get(session)?.connection.release();
    this.#attached.delete(session);
  }

  /** From now on its frames are answered, and its end is noticed. */
  serve({ ws, session, connection, loop }: Attached): void {
    const { desk, stats, links, budget, budgetKey, clock, log } = this.#deps;
    const { data } = session;
    ws.on('message', (message: Buffer, isBinary: boolean) => {
      connection.heard();
      loop.onMessage(message, isBinary);
    });
    const controls = new ControlFrames(connection, clock);
    ws.on('ping', () => {
      if (controls.take()) connection.heard();
    });
    ws.on('pong', (payload: Buffer) => {
      if (controls.take()) connection.answered(payload);
    });
    // ws has answered with the right close code already; the close event follows.
    ws.on('error', (error) => log.debug('gateway.frame-refused', { session: data.id, error: error.message }));
    ws.on('close', () => {
      stats.closed += 1;
      this.#attached.delete(session);
      desk.closed(session);
      links.release();
      const key = budgetKey(data.address);
      if (key !== null) budget.returnLink(key);
    });
  }

  /** A connection that came while everybody is sent away is sent away too. */
  endIfClosing({ connection }: LiveSession): void {
    if (this.#closing) this.#end(connection, this.#closing);
  }

  #end(connection: Connection, { code, reason }: Closing): void {
    connection.end(code, reason, this.#retryAfter());
  }

  async #admit(
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    address: string,
    returnKey: () => void,
    refuse: (reason: string, refusal: Refusal) => void,
  ): Promise<boolean> {
    const { links, visitors } = this.#deps;
    if (!this.hasRoom) {
      returnKey();
      const msg = 'this process has no descriptor for another connection';
      refuse('descriptors', { status: 503, msg, retryAfter: this.#retryAfter() });
      return false;
    }
    this.#admitting += 1;
    const granted = await links.acquire();
    this.#admitting -= 1;
    if (!granted) {
      returnKey();
      refuse('full', { status: 503, msg: 'MaxLinkNumber is reached', retryAfter: this.#retryAfter() });
      return false;
    }
    const place = await visitors.reserve(address);
    if (!place.granted) {
      links.release();
      returnKey();
      refuse(place.reason, { ...NO_VISITOR_PLACE[place.reason], retryAfter: this.#retryAfter() });
      return false;
    }
    const giveBack = (): void => {
      place.drop();
      links.release();
      returnKey();
    };
    if (socket.destroyed || this.#closing) {
      giveBack();
      refuse('stopping', {
        status: 503,
        msg: this.#closing?.reason ?? 'the connection is gone',
        retryAfter: this.#retryAfter(),
      });
      return false;
    }
    let opened = false;
    // ws takes no list of offers; this is the one of them that was chosen.
    req.headers.upgrade = 'websocket';
    // ws calls back in this turn, or refuses the handshake and closes the socket.
    this.#server.handleUpgrade(req, socket, head, (ws) => {
      opened = true;
      place.hold(this.#open(ws, socket, address));
    });
    if (!opened) {
      closeSoon(socket);
      this.#refused('handshake', address);
      giveBack();
    }
    return opened;
  }

  #refused(reason: string, address: string): void {
    this.#deps.onRefused(reason);
    this.#refusals.warn('gateway.refused', { reason, address });
  }

  #open(ws: WebSocket, socket: Duplex, address: string): LiveSession {
    const { sessions, stats, clock, handshakes } = this.#deps;
    const attached = this.#attach(ws, socket, createSessionData(address, clock), null);
    const { session, connection } = attached;
    if ('setKeepAlive' in socket && typeof socket.setKeepAlive === 'function')
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.serve(attached);
    sessions.add(session);
    stats.accepted += 1;
    handshakes.opened();
    connection.put(textFrame(this.#hello(session.data.id)));
    this.endIfClosing(session);
    return session;
  }

  #attach(ws: WebSocket, socket: Duplex, data: SessionData, state: MessageLoopState | null): Attached {
    const { stats, clock, system, marks, backlog } = this.#deps;
    const connection = new WsConnection(ws, socket, data, {
      clock,
      limits: () => {
        const { OutboxSoftBytes, OutboxHardBytes, OutboxSeconds } = system();
        return { softBytes: OutboxSoftBytes, hardBytes: OutboxHardBytes, stallMs: OutboxSeconds * 1000 };
      },
      backlog,
      retryAfter: () => this.#retryAfter(),
      onSlowClosed: () => {
        stats.slowClosed += 1;
      },
      answerMs: () => system().ProbeAnswerSeconds * 1000,
      onConfirmed: (ids) => {
        const { login } = data;
        if (login) for (const id of ids) marks.add({ uid: login.uid, id, settled: true });
      },
    });
    const session: LiveSession = { data, connection, replay: null, missed: null };
    const attached = { session, connection, ws, socket, loop: new MessageLoop(session, this.#deps, state) };
    this.#attached.set(session, attached);
    return attached;
  }

  #hello(session: string): string {
    return eventText('hello', nowSeconds(this.#deps.clock), {
      version: 1,
      session,
      heartbeat: {
        interval: this.#deps.system().IdleSeconds,
        timeout: HEARTBEAT_TIMEOUT_SECONDS,
        tries: HEARTBEAT_TRIES,
      },
      login: { retryAfter: LOGIN_RETRY_SECONDS },
      reconnect: [...RECONNECT_SECONDS],
    });
  }

  #fault(req: IncomingMessage): { reason: string; refusal: Refusal } | null {
    const fault = headFault(req);
    if (fault) return { reason: fault.reason, refusal: fault };
    if (this.#closing) {
      return {
        reason: 'stopping',
        refusal: { status: 503, msg: this.#closing.reason, retryAfter: this.#retryAfter() },
      };
    }
    const path = (req.url ?? '').split('?', 1)[0];
    if (path !== '/' && path !== '/ws') {
      return { reason: 'path', refusal: { status: 404, msg: 'WebSocket is at / and /ws' } };
    }
    const foreign = this.#deps.foreign(req.headers);
    if (foreign !== null) return { reason: 'origin', refusal: { status: 403, msg: foreign } };
    if (req.headers['sec-websocket-version'] !== VERSION) {
      const msg = `only version ${VERSION} of WebSocket is spoken here`;
      const headers = {
        'Sec-WebSocket-Version': VERSION,
        Upgrade: 'websocket',
        Connection: 'Upgrade, close',
      };
      return { reason: 'version', refusal: { status: 426, msg, headers } };
    }
    if (!KEY.test(req.headers['sec-websocket-key'] ?? '')) {
      const msg = 'Sec-WebSocket-Key must be the base64 of 16 bytes';
      return { reason: 'handshake', refusal: { status: 400, msg } };
    }
    const { origin } = req.headers;
    if (
      this.#deps.origins.size > 0 &&
      origin !== undefined &&
      !this.#deps.origins.has(origin.toLowerCase())
    ) {
      return { reason: 'origin', refusal: { status: 403, msg: 'this Origin may not connect' } };
    }
    return null;
  }

  /** Seconds, spread over ReturnSeconds, so that those who are sent away do not come back together. */
  #retryAfter(): number {
    return retrySpread(this.#deps.system());
  }
}

export function retrySpread(system: Pick<SystemConfig, 'ReturnSeconds'>): number {
  return 1 + Math.floor(Math.random() * Math.max(1, system.ReturnSeconds));
}
