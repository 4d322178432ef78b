/**
 * HTTP calls and WebSocket upgrades on the connections that the master gives this Worker, over TLS when a certificate is
 * configured. Here are the limits on what is not yet a request: its time and size. How many connections there may be, and
 * how they end, is the business of `http-connections.ts`.
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ADDRESS_UNKNOWN } from '../../platform/auth/client-address.js';
import type { SystemConfig } from '../../platform/config/config-schema.js';
import type { Log } from '../../platform/log/log.js';
import { refusalLog } from '../../platform/log/refusal-log.js';
import { errorText } from '../../shared/base/errors.js';
import { HttpConnections, type HttpConnectionsDeps } from './http-connections.js';
import { awaitNextCall } from './http-parser.js';
import { closeSoon } from './last-words.js';
import { EXPECTATION_FAULT, type HeadFault, headFault, toOriginForm } from './request-head.js';
import { OfferingMessage, readOnAfterOffers } from './upgrade-offers.js';

/** A whole request, body included: 2 MiB from a slow main site still fit. */
const REQUEST_MS = 60_000;
/** Longer than nginx keeps an idle upstream connection (60 s), so that nginx is always the one to close it. */
const KEEP_ALIVE_MS = 75_000;
/** How often unfinished requests are looked at. */
const CHECK_MS = 1000;

export interface HttpServerHandlers {
  onRequest(req: http.IncomingMessage, res: http.ServerResponse): void;
  /** The caller waits for `100 Continue` before it sends its body. */
  onContinue(req: http.IncomingMessage, res: http.ServerResponse): void;
  /** The head of the call is at fault: nothing but the answer is due, and the connection ends with it. */
  onHeadFault(req: http.IncomingMessage, res: http.ServerResponse, fault: HeadFault): void;
  /** The request is a WebSocket handshake. Resolves with true when the connection is a WebSocket, with false when it was refused. */
  onUpgrade(req: http.IncomingMessage, socket: Duplex, head: Buffer): Promise<boolean>;
}

export interface HttpServer {
  /**
   * A connection is served from now on, or closed when there is no room for it. Of one on which another Worker has answered
   * calls (`kept`) the next one may take its time.
   */
  take(socket: Socket, kept: boolean): void;
  /** Connections that are not WebSockets. */
  readonly connections: number;
  /** Certificate files are read again; existing connections keep theirs. What cannot be read is logged. */
  reloadTls(): void;
  /** Every connection that is no WebSocket goes to another Worker between two calls. Resolves when none is left. */
  leave(): Promise<void>;
  /** The Worker stays after all. */
  stay(): void;
  /** Every connection that is no WebSocket ends after its call. Resolves when none is left. */
  close(): Promise<void>;
  /** What is left of them is closed as it is. */
  cut(): void;
}

export interface HttpServerDeps extends HttpServerHandlers, Omit<HttpConnectionsDeps, 'giveBack'> {
  /** The limits of now; most of them count from the start on, certificates live. */
  readonly system: () => SystemConfig;
  /** Gives a connection to another Worker; see `HttpConnectionsDeps`. */
  readonly giveBack: (socket: Socket, kept: boolean) => Promise<boolean>;
  readonly log: Log;
}

export function createHttpServer(deps: HttpServerDeps): HttpServer {
  const { log } = deps;
  const system = deps.system();
  const options = {
    maxHeaderSize: system.HeaderBytesMax,
    headersTimeout: system.HandshakeSeconds * 1000,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: CHECK_MS,
    // `headFault` asks for it: Node would answer by itself, past all bounds of `HttpConnections`.
    requireHostHeader: false,
    // Node's types know the class of the messages by its type only.
    IncomingMessage: OfferingMessage as typeof http.IncomingMessage,
  };
  const tls = tlsFiles(system);
  const server = tls
    ? https.createServer({ ...options, ...tls, handshakeTimeout: options.headersTimeout })
    : http.createServer(options);
  // All that fit into HeaderBytesMax are read; more lines than `headFault` allows are refused.
  server.maxHeadersCount = 0;
  const connections = new HttpConnections({ ...deps, giveBack: tls ? null : deps.giveBack });
  const counted = (answer: HttpServerHandlers['onRequest']): HttpServerHandlers['onRequest'] => {
    return (req, res) => {
      if (!connections.begin(req, res)) return;
      // That of `awaitNextCall` is over; Node sets its own one when the answer is out.
      if (req.socket.timeout) req.socket.setTimeout(0);
      toOriginForm(req);
      const fault = headFault(req);
      if (fault) deps.onHeadFault(req, res, fault);
      else answer(req, res);
    };
  };
  server.on('request', counted(deps.onRequest));
  server.on('checkContinue', counted(deps.onContinue));
  server.on(
    'checkExpectation',
    counted((req, res) => deps.onHeadFault(req, res, EXPECTATION_FAULT)),
  );
  // Behind the server's own listener, which gives the connection its parser.
  server.on(tls ? 'secureConnection' : 'connection', readOnAfterOffers);
  if (tls) server.on('secureConnection', (inner) => connections.secured(inner));
  server.on('upgrade', (req, socket, head) => {
    if (!connections.upgrading(req.socket)) return;
    toOriginForm(req);
    // One that is refused counts until it is closed.
    void deps.onUpgrade(req, socket, head).then((opened) => {
      if (opened) connections.forget(req.socket);
    });
  });
  const refusals = refusalLog(log, deps.clock);
  server.on('clientError', (error: NodeJS.ErrnoException, stream: Duplex) => {
    const socket = stream as Socket;
    if (connections.isAway(socket) || error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const status = CLIENT_ERROR_STATUS[error.code ?? ''] ?? '400 Bad Request';
    // Who has said nothing at all is no caller: a check whether the port is open.
    if (socket.bytesRead > 0) {
      const address = socket.remoteAddress ?? ADDRESS_UNKNOWN;
      refusals.warn('http.malformed', { reason: status, address, code: error.code });
    }
    // What does not even become a request is answered, and its connection closed. Before the end of its handshake TLS would
    // wait with the answer for as long as the client likes.
    if (Reflect.get(socket, 'secureConnecting') === true) {
      socket.destroy();
      return;
    }
    const text = `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
    // What follows the call that was announced as the last one is not looked at (RFC 9112 §9.6).
    if (connections.malformed(socket, error.code === 'HPE_CLOSED_CONNECTION' ? null : text)) return;
    socket.end(text);
    closeSoon(socket);
  });
  // It never listens; this is what starts its watch over requests that do not arrive.
  server.emit('listening');
  return {
    take(socket, kept) {
      if (!connections.add(socket, kept)) return;
      server.emit('connection', socket);
      if (kept) awaitNextCall(socket, KEEP_ALIVE_MS);
    },
    get connections() {
      return connections.size;
    },
    reloadTls() {
      if (!(server instanceof https.Server)) return;
      try {
        const files = tlsFiles(deps.system());
        if (files) server.setSecureContext(files);
      } catch (error) {
        // A file that is gone or faulty must not cost the certificate that still works.
        log.error('tls.notReloaded', { error: errorText(error) });
      }
    },
    leave: () => connections.leave(),
    stay: () => connections.stay(),
    close: () => connections.close(),
    cut: () => connections.cut(),
  };
}

function tlsFiles(system: SystemConfig): { cert: Buffer; key: Buffer } | null {
  if (system.TlsCert === null || system.TlsKey === null) return null;
  return { cert: readFileSync(system.TlsCert), key: readFileSync(system.TlsKey) };
}

const CLIENT_ERROR_STATUS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};
