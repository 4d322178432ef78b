/**
 * The one port: HTTP calls and WebSocket upgrades, over TLS when a certificate is configured. Here are the limits on
 * what is not yet a request: time, size and number of connections that have said nothing useful.
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SystemConfig } from '../../platform/config/config-schema.js';
import type { Log } from '../../platform/log/log.js';
import { errorText, SpushError } from '../../shared/base/errors.js';

/** Header lines of a request; what comes after them is not read. */
const HEADERS_MAX = 64;
/** A whole request, body included: 2 MiB from a slow main site still fit. */
const REQUEST_MS = 60_000;
/** Longer than nginx keeps an idle upstream connection (60 s), so that nginx is always the one to close it. */
const KEEP_ALIVE_MS = 75_000;
/** How often unfinished requests are looked at. */
const CHECK_MS = 1000;
/** TCP connections beyond MaxLinkNumber: HTTP calls, and handshakes under way. */
const EXTRA_CONNECTIONS = 4096;
const BACKLOG = 4096;

export interface HttpServerHandlers {
  onRequest(req: http.IncomingMessage, res: http.ServerResponse): void;
  /** The caller waits for `100 Continue` before it sends its body. */
  onContinue(req: http.IncomingMessage, res: http.ServerResponse): void;
  onUpgrade(req: http.IncomingMessage, socket: Duplex, head: Buffer): void;
}

export interface HttpServer {
  /** Resolves with the address: `host:port`. Also after `close`; changes nothing when it listens already. */
  listen(): Promise<string>;
  /** Certificate files are read again; existing connections keep theirs. What cannot be read is logged. */
  reloadTls(): void;
  setMaxLinks(maxLinks: number): void;
  /** Takes no more connections; resolves when running calls are answered. */
  close(): Promise<void>;
}

/** @param current the limits of now; most of them count from the start on, certificates and MaxLinkNumber live. */
export function createHttpServer(
  current: () => SystemConfig,
  log: Log,
  handlers: HttpServerHandlers,
): HttpServer {
  const system = current();
  const options: http.ServerOptions & { shouldUpgradeCallback: (req: http.IncomingMessage) => boolean } = {
    maxHeaderSize: system.HeaderBytesMax,
    headersTimeout: system.HandshakeSeconds * 1000,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: CHECK_MS,
    noDelay: true,
    // Node 22.21, 24.9 and newer: a call that offers another protocol, such as h2c, is answered as the HTTP call it is.
    shouldUpgradeCallback: (req) => req.headers.upgrade?.toLowerCase() === 'websocket',
  };
  const tls = tlsFiles(system);
  const server = tls ? https.createServer({ ...options, ...tls }) : http.createServer(options);
  server.maxHeadersCount = HEADERS_MAX;
  server.maxConnections = system.MaxLinkNumber + EXTRA_CONNECTIONS;
  /** Calls that are not answered, and connections that were kept after theirs. */
  const running = new Set<http.ServerResponse>();
  const kept = new Set<Socket>();
  const known = new WeakSet<Socket>();
  /** While no more connections are taken each call is told to be the last on its own: closed later, another would be lost. */
  const noted = (answer: HttpServerHandlers['onRequest']): HttpServerHandlers['onRequest'] => {
    return (req, res) => {
      const { socket } = req;
      if (!known.has(socket)) socket.once('close', () => kept.delete(socket));
      known.add(socket);
      kept.delete(socket);
      running.add(res);
      res.once('close', () => {
        running.delete(res);
        if (!socket.destroyed) kept.add(socket);
      });
      if (!server.listening) res.shouldKeepAlive = false;
      answer(req, res);
    };
  };
  server.on('request', noted(handlers.onRequest));
  server.on('checkContinue', noted(handlers.onContinue));
  server.on('upgrade', handlers.onUpgrade);
  server.on('clientError', onClientError);
  return {
    listen: () =>
      new Promise((resolve, reject) => {
        if (server.listening) {
          resolve(listensAt(server));
          return;
        }
        const onError = (error: NodeJS.ErrnoException): void => reject(listenError(error, system));
        server.once('error', onError);
        server.listen({ host: system.Host, port: system.Port, backlog: BACKLOG }, () => {
          server.off('error', onError);
          resolve(listensAt(server));
        });
      }),
    reloadTls() {
      if (!(server instanceof https.Server)) return;
      try {
        const files = tlsFiles(current());
        if (files) server.setSecureContext(files);
      } catch (error) {
        // A file that is gone or faulty must not cost the certificate that still works.
        log.error('tls.notReloaded', { error: errorText(error) });
      }
    },
    setMaxLinks(maxLinks) {
      server.maxConnections = maxLinks + EXTRA_CONNECTIONS;
    },
    close: () =>
      new Promise((resolve) => {
        // Not http's own close: from Node 26 on it also cuts connections whose first call is on its way.
        net.Server.prototype.close.call(server, () => resolve());
        for (const res of running) res.shouldKeepAlive = false;
        for (const socket of kept) socket.destroy();
      }),
  };
}

function listensAt(server: http.Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

function tlsFiles(system: SystemConfig): { cert: Buffer; key: Buffer } | null {
  if (system.TlsCert === null || system.TlsKey === null) return null;
  return { cert: readFileSync(system.TlsCert), key: readFileSync(system.TlsKey) };
}

function listenError(error: NodeJS.ErrnoException, system: SystemConfig): SpushError {
  const where = `${system.Host}:${system.Port}`;
  if (error.code === 'EADDRINUSE') {
    return new SpushError(
      'PORT_TAKEN',
      `${where} is taken by another program: stop it, or set Port (SPUSH_PORT)`,
      { cause: error },
    );
  }
  return new SpushError('START_FAILED', `cannot listen on ${where}: ${error.message}`, { cause: error });
}

const CLIENT_ERROR_STATUS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** What does not even become a request is answered, and its connection closed. */
function onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = CLIENT_ERROR_STATUS[error.code ?? ''] ?? '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
