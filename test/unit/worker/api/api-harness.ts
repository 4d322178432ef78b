/** The API on a real server, port 0, with a delivery, store and bus that remember what they were asked. */
import { once } from 'node:events';
import { createServer, type Server, type ServerOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Config } from '../../../../src/platform/config/config-schema.js';
import {
  apiSchema,
  dbSchema,
  gzcpSchema,
  redisSchema,
  systemSchema,
} from '../../../../src/platform/config/config-schema.js';
import type { Log } from '../../../../src/platform/log/log.js';
import { Metrics } from '../../../../src/platform/metrics/metrics.js';
import type { MessageStatus, NewMessage } from '../../../../src/shared/domain/message.js';
import { firstIdOf, type MessageId, messageIdFrom } from '../../../../src/shared/domain/message-id.js';
import type { Answers, QuestionName } from '../../../../src/shared/protocol/questions.js';
import { type Api, type ApiDeps, createApi } from '../../../../src/worker/api/api.js';
import {
  createReadiness,
  type Readiness,
  type ReadinessCheck,
} from '../../../../src/worker/api/readiness.js';
import { FakeClock } from '../../../support/fake-clock.js';

export interface HarnessOptions {
  readonly env?: 0 | 1 | 2;
  readonly api?: Parameters<typeof apiSchema.parse>[0];
  readonly system?: Parameters<typeof systemSchema.parse>[0];
  readonly checks?: readonly ReadinessCheck[];
  readonly server?: ServerOptions;
}

export interface JsonAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: { readonly code: number; readonly msg: string; readonly data: Record<string, unknown> };
}

export class ApiHarness {
  readonly clock = new FakeClock();
  readonly accepted: NewMessage[] = [];
  readonly claimed = new Set<string>();
  readonly logged: string[] = [];
  readonly metrics = new Metrics();
  readonly stats = { requests: 0 };
  readonly statuses = new Map<MessageId, MessageStatus>();
  /** What the bus answers to any question. */
  answers: Answers<unknown> = { answers: [], silent: [] };
  asked: { question: QuestionName; args: unknown }[] = [];
  /** Set to make the acceptance fail. */
  fault: Error | null = null;
  readonly readiness: Readiness;
  readonly server: Server;
  config: Config;
  #nextId = BigInt(firstIdOf(this.clock.now()));

  constructor({ env = 0, api = {}, system = {}, checks = [], server = {} }: HarnessOptions = {}) {
    const none = '/nowhere';
    this.config = {
      mode: 'test',
      env,
      paths: {
        root: none,
        home: none,
        temp: none,
        log: none,
        data: none,
        pidFile: none,
        socket: none,
        logFile: none,
      },
      system: systemSchema.parse(system),
      db: dbSchema.parse({}),
      redis: redisSchema.parse({}),
      gzcp: gzcpSchema.parse({}),
      api: apiSchema.parse(api),
    };
    const write = (event: string, fields: unknown) => this.logged.push(`${event} ${JSON.stringify(fields)}`);
    const log: Log = { debugging: false, debug: write, info: write, warn: write, error: write };
    this.readiness = createReadiness({ checks, clock: this.clock, log });
    const deps: ApiDeps = {
      config: () => this.config,
      store: { status: async (id) => this.statuses.get(id) ?? null },
      acceptance: {
        accept: async (messages) => {
          if (this.fault) throw this.fault;
          this.accepted.push(...messages);
          const ids = messages.map(() => messageIdFrom(this.#nextId++));
          return { accepted: messages.length, duplicates: 0, spilled: 0, ids };
        },
      },
      bus: {
        ask: (async (question: QuestionName, args: unknown) => {
          this.asked.push({ question, args });
          return this.answers;
        }) as ApiDeps['bus']['ask'],
      },
      nonces: {
        claim: async (scope, nonce) => {
          const before = this.claimed.size;
          return this.claimed.add(`${scope} ${nonce}`).size > before;
        },
      },
      readiness: this.readiness,
      metrics: this.metrics,
      stats: this.stats,
      clock: this.clock,
      log,
      version: '1.2.3',
    };
    const { handle, handleContinue }: Api = createApi(deps);
    this.server = createServer(server, handle);
    this.server.on('checkContinue', handleContinue);
  }

  static async open(options?: HarnessOptions): Promise<ApiHarness> {
    const harness = new ApiHarness(options);
    harness.server.listen(0, '127.0.0.1');
    await once(harness.server, 'listening');
    return harness;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async call(path: string, init: RequestInit = {}): Promise<JsonAnswer> {
    const response = await fetch(`${this.url}${path}`, init);
    const text = await response.text();
    const body = text === '' ? { code: response.status, msg: '', data: {} } : JSON.parse(text);
    return { status: response.status, headers: response.headers, body };
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<JsonAnswer> {
    return this.call(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  }

  form(path: string, fields: Record<string, string> | string): Promise<JsonAnswer> {
    return this.call(path, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' },
      body: typeof fields === 'string' ? fields : new URLSearchParams(fields).toString(),
    });
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
