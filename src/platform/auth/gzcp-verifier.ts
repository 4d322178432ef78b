/**
 * Asks the main site whose key it is, and spares it: good answers are kept for a while, equal questions in flight share
 * one call, so many calls run at a time and no more, and after repeated failures nobody asks for some seconds.
 *
 *   verify: cache → equal call in flight → breaker → line → breaker → call (one retry) → cache
 */
import { createHash } from 'node:crypto';
import type { Agent } from 'node:http';
import type { Clock } from '../../shared/base/clock.js';
import { nowSeconds } from '../../shared/base/clock.js';
import { errorText, SpushError } from '../../shared/base/errors.js';
import { clipped } from '../../shared/base/well-formed.js';
import type { GzcpConfig, GzcpToken } from '../config/config-schema.js';
import type { Troubles } from '../health/troubles.js';
import type { Log } from '../log/log.js';
import { seldomLog } from '../log/seldom-log.js';
import { AnswerCache } from './answer-cache.js';
import { Breaker } from './breaker.js';
import { CallQueue } from './call-queue.js';
import { type CallResult, callGzcp, createGzcpAgent } from './gzcp-call.js';
import type { BreakerState, GzcpMeter, LoginKey, UserVerifier } from './user-verifier.js';

export const WAITING_MAX = 10_000;
export const WAIT_MS_MAX = 30_000;
export const CACHE_ENTRIES_MAX = 100_000;
const REASON_UNITS_MAX = 200;
/** Forgotten users that are remembered while calls are in flight; above it no call in flight is kept. */
const FORGOTTEN_MAX = 10_000;

export interface GzcpVerifierOptions {
  readonly config: GzcpConfig & { readonly verifyUrl: string };
  /** Calls of this process at a time, now. */
  readonly concurrency: () => number;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: GzcpMeter;
  readonly troubles: Pick<Troubles, 'begin' | 'end'>;
}

export const md5Token: GzcpToken = (timestamp, loginkey, secret) =>
  createHash('md5').update(`${timestamp}${loginkey}${secret}`).digest('hex');

export class GzcpVerifier implements UserVerifier {
  readonly #options: GzcpVerifierOptions;
  /** For what each login of a storm would say. */
  readonly #seldom: Pick<Log, 'warn'>;
  readonly #address: URL;
  /** With the port when it is not that of the protocol: what people are told of the address. */
  readonly #host: string;
  /** Why the last call that failed did. */
  #failure = '';
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent: Agent;
  readonly #queue: CallQueue;
  readonly #breaker: Breaker;
  readonly #cache: AnswerCache;
  /** Calls under way, and those of them that equal keys may share. */
  #inFlight = 0;
  readonly #shared = new Map<string, Promise<number>>();
  /** User id → turn of the latest `forget`; kept only while calls are in flight. */
  readonly #forgotten = new Map<number, number>();
  /** Results of calls begun before this turn are not kept. */
  #keepSince = 0;
  /** Counts beginnings of calls and forgets, to tell which came first. */
  #turn = 0;

  constructor(options: GzcpVerifierOptions) {
    const { config, concurrency, clock, log } = options;
    this.#options = options;
    this.#seldom = seldomLog(log, clock);
    this.#address = new URL(config.verifyUrl);
    this.#host = this.#address.host;
    this.#headers = {
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'spush',
      ...takeCredentials(this.#address),
    };
    this.#agent = createGzcpAgent(this.#address);
    this.#queue = new CallQueue({
      concurrency,
      waitingMax: WAITING_MAX,
      waitMsMax: WAIT_MS_MAX,
      clock,
      onTurnedAway: () => options.meter.count('turnedAway'),
    });
    this.#breaker = new Breaker({
      failures: config.breakerFailures,
      openMs: config.breakerSeconds * 1000,
      clock,
      onChange: (state) => this.#onBreaker(state),
    });
    this.#cache = new AnswerCache({
      keepMs: config.cacheSeconds * 1000,
      entriesMax: CACHE_ENTRIES_MAX,
      clock,
    });
  }

  async verify(key: LoginKey): Promise<number> {
    const digest = createHash('sha256').update(`${key.channel}:${key.value}`).digest('base64');
    const known = this.#cache.get(digest);
    if (known !== null) {
      this.#options.meter.count('cached');
      return known;
    }
    const running = this.#shared.get(digest);
    if (running !== undefined) {
      this.#options.meter.count('shared');
      return await running;
    }
    this.#inFlight += 1;
    const call = this.#ask(digest, key).finally(() => {
      if (this.#shared.get(digest) === call) this.#shared.delete(digest);
      this.#inFlight -= 1;
      if (this.#inFlight === 0) this.#forgotten.clear();
    });
    this.#shared.set(digest, call);
    return await call;
  }

  forget(uid: number): void {
    this.#cache.forget(uid);
    if (this.#inFlight === 0) return;
    // Whose keys are being asked for is not known yet, and what was asked before may be answered by what was true before.
    this.#shared.clear();
    this.#turn += 1;
    this.#forgotten.set(uid, this.#turn);
    if (this.#forgotten.size > FORGOTTEN_MAX) {
      this.#forgotten.clear();
      this.#keepSince = this.#turn;
    }
  }

  async #ask(digest: string, key: LoginKey): Promise<number> {
    this.#turn += 1;
    const begun = this.#turn;
    const result = await this.#inLine(key.value);
    switch (result.is) {
      case 'user':
        this.#options.meter.count('user');
        if (begun > this.#keepSince && begun > (this.#forgotten.get(result.uid) ?? 0)) {
          this.#cache.set(digest, result.uid);
        }
        return result.uid;
      case 'nobody':
        this.#options.meter.count('nobody');
        throw new SpushError('LOGIN_REFUSED', 'the main site does not know this key: log in there again');
      case 'faulty':
        this.#options.meter.count('faulty');
        this.#seldom.warn('gzcp.faulty', {
          channel: key.channel,
          host: this.#host,
          reason: result.reason,
        });
        throw new SpushError('LOGIN_REFUSED', "the main site's answer for this key cannot be trusted");
      case 'failed':
        this.#options.meter.count('failure');
        this.#seldom.warn('gzcp.failed', {
          channel: key.channel,
          host: this.#host,
          reason: result.reason,
        });
        throw new SpushError(
          'GZCP_UNAVAILABLE',
          `the main site (${this.#host}) cannot be asked now: ${result.reason}`,
        );
    }
  }

  async #inLine(loginkey: string): Promise<CallResult> {
    if (!this.#breaker.passable) throw this.#turnedAway();
    const result = await this.#queue.run(async () => {
      const url = this.#urlFor(loginkey);
      return await this.#breaker.run(
        () => this.#call(url),
        ({ is }) => is === 'failed',
      );
    });
    if (result === null) throw this.#turnedAway();
    return result;
  }

  async #call(url: URL): Promise<CallResult> {
    const result = await callGzcp(url, this.#headers, this.#callOptions());
    // Before the breaker hears of it, which may say why it opens.
    if (result.is === 'failed') this.#failure = result.reason;
    return result;
  }

  #callOptions() {
    const { config, meter } = this.#options;
    return { agent: this.#agent, deadlineMs: config.deadlineMs, onRequest: () => meter.count('call') };
  }

  #urlFor(loginkey: string): URL {
    const { config, clock } = this.#options;
    const timestamp = String(nowSeconds(clock));
    const url = new URL(this.#address);
    url.searchParams.set('timestamp', timestamp);
    url.searchParams.set('loginkey', loginkey);
    url.searchParams.set('token', this.#token(timestamp, loginkey, config));
    return url;
  }

  #token(timestamp: string, loginkey: string, { token, secret }: GzcpConfig): string {
    try {
      const made: unknown = (token ?? md5Token)(timestamp, loginkey, secret);
      if (typeof made === 'string') return made;
      throw new TypeError(`it returned ${typeof made}, not a string`);
    } catch (error) {
      const reason = withoutSecrets(errorText(error), [loginkey, secret]);
      this.#options.log.error('gzcp.token', { reason });
      throw new SpushError('GZCP_UNAVAILABLE', 'the token function of conf/*/gzcp.ts failed', {
        cause: error,
      });
    }
  }

  #turnedAway(): SpushError {
    this.#options.meter.count('turnedAway');
    return new SpushError(
      'GZCP_UNAVAILABLE',
      `the main site (${this.#host}) failed ${this.#options.config.breakerFailures} times in a row; the last failure: ${this.#failure}; it is asked again in some seconds`,
    );
  }

  #onBreaker(state: BreakerState): void {
    const { meter, log, troubles } = this.#options;
    const host = this.#host;
    meter.breaker(state);
    if (state === 'open') {
      log.error('gzcp.breaker', { state, host });
      troubles.begin(
        'mainSite',
        `the main site cannot be asked which user a login key belongs to: ${host}: ${this.#failure}; until it answers, logins are refused with 503`,
      );
      return;
    }
    log.info('gzcp.breaker', { state, host });
    if (state === 'closed') troubles.end('mainSite');
  }
}

/** Out of the address, which is quoted in faults, and into a header. */
function takeCredentials(address: URL): Record<string, string> {
  if (address.username === '' && address.password === '') return {};
  const pair = `${decodeURIComponent(address.username)}:${decodeURIComponent(address.password)}`;
  address.username = '';
  address.password = '';
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

function withoutSecrets(text: string, secrets: readonly string[]): string {
  const without = secrets
    .filter((secret) => secret !== '')
    .reduce((left, secret) => left.replaceAll(secret, '***'), text);
  return clipped(without, REASON_UNITS_MAX);
}
