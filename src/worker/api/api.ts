/**
 * The HTTP API of the main site. The life of a call, with what ends it early:
 *
 *   path (404) → method (405) → address, page (403) → head of the proof (401) → body (408, 413, 429) → proof (401)
 *        → body's type and syntax (415, 400) → what the route does (400, 404, 413, 503) → 200
 *
 * Whatever is thrown becomes an answer; nothing a caller sends ends the process. Timeouts of the connection are the
 * http.Server's.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import polka from 'polka';
import type { NonceGuard } from '../../platform/auth/call-verifier.js';
import type { Bus } from '../../platform/bus/bus.js';
import type { Config } from '../../platform/config/config-schema.js';
import { eachRefusal } from '../../platform/log/each-refusal.js';
import type { Log } from '../../platform/log/log.js';
import { refusalLog } from '../../platform/log/refusal-log.js';
import { seldomLog } from '../../platform/log/seldom-log.js';
import type { Metrics } from '../../platform/metrics/metrics.js';
import { scrape } from '../../platform/metrics/scrape.js';
import type { MessageStore } from '../../platform/store/message-store.js';
import type { Clock } from '../../shared/base/clock.js';
import { forStrangers, isSpushError, SpushError } from '../../shared/base/errors.js';
import { shown } from '../../shared/protocol/api-values.js';
import type { Acceptance } from '../delivery/acceptance.js';
import type { HeadFault } from '../gateway/request-head.js';
import { createAccess } from './access.js';
import { assertAnnouncedFits } from './announced-body.js';
import { type Answer, fault, lastAnswer, send } from './answer.js';
import { CallerGone, readBody } from './body.js';
import { BodyBudget } from './body-budget.js';
import { openApiDocument } from './openapi.js';
import { opsRoutes } from './ops-routes.js';
import { pushRoutes } from './push-routes.js';
import { questionRoutes } from './question-routes.js';
import type { Readiness } from './readiness.js';
import type { Route } from './route.js';

export interface ApiDeps {
  /** The configuration of now: some of its keys may change while the process runs. */
  readonly config: () => Config;
  readonly store: Pick<MessageStore, 'status'>;
  readonly acceptance: Acceptance;
  readonly bus: Pick<Bus, 'ask'>;
  readonly nonces: NonceGuard;
  readonly readiness: Readiness;
  readonly metrics: Metrics;
  /** Raised by one with every call. */
  readonly stats: { requests: number };
  readonly clock: Clock;
  readonly log: Log;
  /** Of the program, for the API's description. */
  readonly version: string;
}

export interface Api {
  /** For the server's `request`. Never throws. */
  handle(req: IncomingMessage, res: ServerResponse): void;
  /** For the server's `checkContinue`: a caller that will be refused need not send its body. */
  handleContinue(req: IncomingMessage, res: ServerResponse): void;
  /** The head of the call is at fault, whatever it asks for; the connection ends with the answer. Never throws. */
  refuse(req: IncomingMessage, res: ServerResponse, fault: HeadFault): void;
}

/** Path label of calls that no route knows. */
const UNKNOWN_PATH = 'unknown';
const CALLER_GONE_STATUS = 499;
/** Of calls that were turned away for who made them, or how many or how large they are; the others are for the caller only. */
const REFUSALS: ReadonlySet<number> = new Set([401, 403, 413, 429]);

export function createApi(deps: ApiDeps): Api {
  const access = createAccess(deps);
  const bodies = new BodyBudget(deps.clock);
  const seldom = seldomLog(deps.log, deps.clock);
  const refusals = refusalLog(deps.log, deps.clock);
  const each = eachRefusal(deps.log, deps.clock);
  const routes: Route[] = [
    ...pushRoutes(deps),
    ...questionRoutes(deps),
    ...opsRoutes({
      readiness: deps.readiness,
      scrape: () => scrape(deps),
      openApi: JSON.stringify(openApiDocument(deps.version)),
    }),
  ];
  /** Callers that wait for `100 Continue` before they send their body. */
  const waiting = new WeakSet<IncomingMessage>();

  async function answerOf(req: IncomingMessage, res: ServerResponse, route: Route): Promise<Answer> {
    const address = access.clientAddress(req);
    const params = 'params' in req ? (req.params as Record<string, string>) : {};
    access.assertAddress(route.access, address);
    access.assertNotForeign(route.access, req);
    const isOperator = isOfOperators(req);
    if (route.access !== 'signed')
      return await route.handle({ params, body: () => null, key: null, isOperator });
    const lease = bodies.open(address);
    try {
      const { body, key } = await access.prove(req, address, {
        async readRaw() {
          if (waiting.has(req)) assertAnnouncedFits(req);
          if (waiting.delete(req)) res.writeContinue();
          return await readBody(req, lease);
        },
        onProven: () => lease.prove(),
      });
      return await route.handle({ params, body, key, isOperator });
    } finally {
      lease.close();
    }
  }

  async function serve(
    req: IncomingMessage,
    res: ServerResponse,
    path: string,
    work: () => Promise<Answer> | Answer,
  ): Promise<void> {
    deps.stats.requests += 1;
    res.once('close', () => {
      deps.metrics.httpAnswered(path, res.writableFinished ? res.statusCode : CALLER_GONE_STATUS);
    });
    try {
      reply(req, res, await work());
    } catch (error) {
      if (error instanceof CallerGone) return;
      if (isSpushError(error)) noteRefused(req, path, error);
      reply(req, res, fault(isSpushError(error) ? told(req, error, path) : internal(error, path)));
    }
  }

  /** Where our files and servers are is for operators; others read it as little as they can. */
  function told(req: IncomingMessage, error: SpushError, path: string): SpushError {
    const outside = forStrangers(error);
    if (outside === error || isOfOperators(req)) return error;
    seldom.warn('api.unavailable', { path, code: error.code, error: error.message });
    return outside;
  }

  /** A call that could not be answered for a reason of ours is told by `api.unavailable`, seldom; one by one at debug. */
  function noteRefused(req: IncomingMessage, path: string, { status, code }: SpushError): void {
    if (REFUSALS.has(status)) refused(req, path, code);
    else if (status >= 500 && deps.log.debugging)
      each('api.refused', { reason: code, address: access.clientAddress(req), path });
  }

  function refused(req: IncomingMessage, path: string, reason: string): void {
    refusals.warn('api.refused', { reason, address: access.clientAddress(req), path });
  }

  function isOfOperators(req: IncomingMessage): boolean {
    try {
      access.assertAddress('ops', access.clientAddress(req));
      access.assertNotForeign('ops', req);
      return true;
    } catch (error) {
      if (!isSpushError(error, 'FORBIDDEN')) throw error;
      return false;
    }
  }

  function reply(req: IncomingMessage, res: ServerResponse, answer: Answer): void {
    send(req, res, answer, { bodyHeldBack: waiting.has(req) });
  }

  /** The log tells what it was, the caller gets a reference to it. */
  function internal(error: unknown, path: string): SpushError {
    const ref = randomBytes(6).toString('hex');
    deps.log.error('api.failed', { path, ref, error: error instanceof Error ? error.stack : String(error) });
    return new SpushError('INTERNAL', `internal error ${ref}: the log says more`, { detail: { ref } });
  }

  const app = polka({
    onNoMatch: (req, res) => void serve(req, res, UNKNOWN_PATH, () => unknownPath(req.url)),
    onError: (error, req, res) => void serve(req, res, UNKNOWN_PATH, () => Promise.reject(error)),
  });
  for (const route of routes) {
    const methods = route.method === 'GET' ? (['GET', 'HEAD'] as const) : (['POST'] as const);
    for (const method of methods) {
      app.add(method, route.pattern, (req: IncomingMessage, res: ServerResponse) => {
        void serve(req, res, route.pattern, () => answerOf(req, res, route));
      });
    }
    app.all(route.pattern, (req: IncomingMessage, res: ServerResponse) => {
      void serve(req, res, route.pattern, () => wrongMethod(req.method, methods.join(', ')));
    });
  }

  function handle(req: IncomingMessage, res: ServerResponse): void {
    // Proxies' absolute addresses and `*` are no paths of ours.
    if (req.url?.startsWith('/')) app.handler(req as Parameters<typeof app.handler>[0], res);
    else void serve(req, res, UNKNOWN_PATH, () => unknownPath(req.url));
  }

  return {
    handle,
    handleContinue(req, res) {
      waiting.add(req);
      handle(req, res);
    },
    refuse(req, res, head) {
      refused(req, UNKNOWN_PATH, head.reason);
      void serve(req, res, UNKNOWN_PATH, () => lastAnswer(head));
    },
  };
}

function unknownPath(url = ''): Answer {
  const [path] = url.split('?', 1);
  return fault(new SpushError('NOT_FOUND', `there is no path ${shown(path)}; GET /openapi.json lists all`));
}

function wrongMethod(method: string | undefined, allowed: string): Answer {
  const error = new SpushError('METHOD_NOT_ALLOWED', `this path takes ${allowed}, not ${method}`);
  return fault(error, { Allow: allowed });
}
