/**
 * What a process counts for Prometheus. One object, handed to the parts that count; names and help texts stand here and
 * nowhere else. What is counted on the hot path stays a plain number elsewhere and is read at the scrape (`follow`).
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { NodeTroubles } from '../../shared/protocol/node-troubles.js';
import { type BreakerState, GZCP_OUTCOMES, type GzcpMeter } from '../auth/user-verifier.js';
import type { LoopDelay } from './loop-delay.js';

/** Figures that other parts keep as plain numbers. */
export interface FollowedCounts {
  /** Open WebSocket connections, and how many of them are logged in. */
  readonly connections: number;
  readonly sessions: number;
  /** Since the process started. */
  readonly accepted: number;
  readonly closed: number;
  readonly requests: number;
  readonly pushes: number;
  readonly acks: number;
  readonly dropped: number;
  readonly slowClosed: number;
  readonly idleClosed: number;
  readonly lostCut: number;
  readonly busDropped: number;
}

const FOLLOWED = {
  connections: { name: 'spush_connections', help: 'Open WebSocket connections.', kind: 'gauge' },
  sessions: { name: 'spush_sessions', help: 'Open WebSocket connections that are logged in.', kind: 'gauge' },
  accepted: { name: 'spush_links_accepted_total', help: 'WebSocket connections opened.', kind: 'counter' },
  closed: { name: 'spush_links_closed_total', help: 'WebSocket connections closed.', kind: 'counter' },
  requests: {
    name: 'spush_requests_total',
    help: 'Commands over WebSocket and calls over HTTP.',
    kind: 'counter',
  },
  pushes: {
    name: 'spush_pushes_total',
    help: 'Messages written to a socket, one per message and socket.',
    kind: 'counter',
  },
  acks: {
    name: 'spush_acks_total',
    help: 'Messages whose state an acknowledgement changed.',
    kind: 'counter',
  },
  dropped: {
    name: 'spush_dropped_total',
    help: 'Live copies left out because their reader was slow.',
    kind: 'counter',
  },
  slowClosed: {
    name: 'spush_slow_closed_total',
    help: 'Connections closed because their reader was too slow.',
    kind: 'counter',
  },
  idleClosed: {
    name: 'spush_idle_closed_total',
    help: 'Connections closed because nothing was heard or said for too long.',
    kind: 'counter',
  },
  lostCut: {
    name: 'spush_lost_cut_total',
    help: 'Connections cut because their client gave no sign of life when it was asked.',
    kind: 'counter',
  },
  busDropped: {
    name: 'spush_bus_dropped_total',
    help: 'Events that the bus had to leave out.',
    kind: 'counter',
  },
} as const satisfies Record<keyof FollowedCounts, { name: string; help: string; kind: 'gauge' | 'counter' }>;

const STORE_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const PAUSE_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
const GROUP_SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
const BREAKER_LEVELS: Record<BreakerState, number> = { closed: 0, probing: 1, open: 2 };

export interface MetricsOptions {
  /** Adds prom-client's figures of the process: CPU, memory, garbage collection. */
  readonly processFigures?: boolean;
  readonly loopDelay?: LoopDelay;
}

export class Metrics {
  readonly registry = new Registry();
  readonly gzcp: GzcpMeter;
  readonly #linksRefused: Counter<'reason'>;
  readonly #http: Counter<'path' | 'status'>;
  readonly #storeSeconds: Histogram<'call' | 'ok'>;
  readonly #groupSize: Histogram;
  readonly #spilled: Counter;
  readonly #spillWaiting: Gauge;
  readonly #adopted: Histogram;

  constructor({ processFigures = false, loopDelay }: MetricsOptions = {}) {
    const registers = [this.registry];
    this.#linksRefused = new Counter({
      name: 'spush_links_refused_total',
      help: 'WebSocket connections refused before the upgrade, by reason.',
      labelNames: ['reason'],
      registers,
    });
    this.#http = new Counter({
      name: 'spush_http_requests_total',
      help: 'Calls over HTTP, by path and status; 499: the caller left before the answer.',
      labelNames: ['path', 'status'],
      registers,
    });
    this.#storeSeconds = new Histogram({
      name: 'spush_store_seconds',
      help: 'Duration of calls of the message store, by call and whether they succeeded.',
      labelNames: ['call', 'ok'],
      buckets: STORE_SECONDS,
      registers,
    });
    this.#groupSize = new Histogram({
      name: 'spush_store_group_size',
      help: 'Calls that the store answered together; those of them that change something shared one commit.',
      buckets: GROUP_SIZES,
      registers,
    });
    this.#spilled = new Counter({
      name: 'spush_spilled_total',
      help: 'Messages accepted into the file of this node because the database was away.',
      registers,
    });
    this.#spillWaiting = new Gauge({
      name: 'spush_spill_waiting',
      help: 'Messages in that file that the database has still to get. All Workers of a node see the same file.',
      registers,
      aggregator: 'max',
    });
    this.#adopted = new Histogram({
      name: 'spush_handoff_pause_seconds',
      help: 'Connections taken over from another Worker, by how long nobody read from them.',
      buckets: PAUSE_SECONDS,
      registers,
    });
    this.gzcp = gzcpMeter(this.registry);
    if (loopDelay !== undefined) followLoopDelay(this.registry, loopDelay);
    if (processFigures) collectDefaultMetrics({ register: this.registry });
  }

  /** Once per process: from now on these figures are read at each scrape. */
  follow(read: () => FollowedCounts): void {
    for (const [key, { name, help, kind }] of Object.entries(FOLLOWED)) {
      const value = () => read()[key as keyof FollowedCounts];
      const settings = { name, help, registers: [this.registry] };
      if (kind === 'gauge') {
        new Gauge({
          ...settings,
          collect() {
            this.set(value());
          },
        });
      } else {
        new Counter({
          ...settings,
          collect() {
            this.reset();
            this.inc(value());
          },
        });
      }
    }
  }

  /** The same for messages of the bus between nodes, by reason: one word out of a fixed few. */
  followBusRefused(read: () => Readonly<Record<string, number>>): void {
    new Counter({
      name: 'spush_bus_refused_total',
      help: 'Messages of the bus between nodes that were refused, by reason.',
      labelNames: ['reason'],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [reason, count] of Object.entries(read())) this.inc({ reason }, count);
      },
    });
  }

  /**
   * Once per process: the troubles of its node are read at each scrape. Every Worker of the node says the same, and of
   * several nodes the one that has most counts.
   */
  followTroubles(read: () => Promise<NodeTroubles>): void {
    const labelNames = ['trouble'] as const;
    const settings = { labelNames, registers: [this.registry], aggregator: 'max' as const };
    // Both are collected for the same page: one question is enough.
    let asked: Promise<NodeTroubles> | null = null;
    const once = (): Promise<NodeTroubles> => {
      asked ??= read().finally(() => {
        asked = null;
      });
      return asked;
    };
    new Gauge({
      ...settings,
      name: 'spush_troubles',
      help: 'Processes of the node that have this trouble now; it does not stop delivery.',
      async collect() {
        const troubles = await once();
        this.reset();
        for (const [trouble, { processes }] of Object.entries(troubles)) this.set({ trouble }, processes);
      },
    });
    new Counter({
      ...settings,
      name: 'spush_trouble_failures_total',
      help: 'Tries that failed because of this trouble, in all processes of the node; for the log: lines that are not in it.',
      async collect() {
        const troubles = await once();
        this.reset();
        for (const [trouble, { failures }] of Object.entries(troubles)) this.inc({ trouble }, failures);
      },
    });
  }

  /** `reason`: one word out of a fixed few. */
  linkRefused(reason: string): void {
    this.#linksRefused.inc({ reason });
  }

  /** `path`: the route's pattern, never what a caller wrote. */
  httpAnswered(path: string, status: number): void {
    this.#http.inc({ path, status });
  }

  storeCalled(call: string, seconds: number, ok: boolean): void {
    this.#storeSeconds.observe({ call, ok: String(ok) }, seconds);
  }

  /** A connection came from another Worker. */
  connectionAdopted(pausedMs: number): void {
    this.#adopted.observe(pausedMs / 1000);
  }

  messagesSpilled(messages: number): void {
    this.#spilled.inc(messages);
  }

  spillWaits(messages: number): void {
    this.#spillWaiting.set(messages);
  }

  groupCommitted(calls: number): void {
    this.#groupSize.observe(calls);
  }

  /** The answer to the question `metrics`. */
  async json(): Promise<unknown[]> {
    return await this.registry.getMetricsAsJSON();
  }
}

function gzcpMeter(registry: Registry): GzcpMeter {
  const outcomes = new Counter({
    name: 'spush_gzcp_total',
    help: 'Asking the main site whose key it is, by outcome.',
    labelNames: ['outcome'],
    registers: [registry],
  });
  const breaker = new Gauge({
    name: 'spush_gzcp_breaker',
    help: 'Whether the main site is asked: 0 yes, 1 one call tries, 2 no. The worst of all Workers.',
    registers: [registry],
    aggregator: 'max',
  });
  for (const outcome of GZCP_OUTCOMES) outcomes.inc({ outcome }, 0);
  return {
    count: (outcome) => outcomes.inc({ outcome }),
    breaker: (state) => breaker.set(BREAKER_LEVELS[state]),
  };
}

function followLoopDelay(registry: Registry, loopDelay: LoopDelay): void {
  new Gauge({
    name: 'spush_loop_delay_seconds',
    help: 'How late the event loop was since the last scrape. The worst of all Workers.',
    labelNames: ['quantile'],
    registers: [registry],
    aggregator: 'max',
    collect() {
      const { p50, p99, max } = loopDelay.take();
      this.set({ quantile: '0.5' }, p50);
      this.set({ quantile: '0.99' }, p99);
      this.set({ quantile: '1' }, max);
    },
  });
}
