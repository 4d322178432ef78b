/** The bus that the configuration asks for: through the master in PUSHENV 0, through Redis in 1 and 2. */
import type { Clock } from '../../shared/base/clock.js';
import type { QuestionName } from '../../shared/protocol/questions.js';
import type { Config } from '../config/config-schema.js';
import type { Log } from '../log/log.js';
import type { Bus, BusListener } from './bus.js';
import type { BusIdentity } from './bus-identity.js';
import { type BusCounts, LocalBus, type LocalBusOptions } from './local-bus.js';
import type { NonceClaims } from './redis/redis-nonces.js';

export interface OpenBusDeps {
  readonly peer: LocalBusOptions['peer'];
  /** Absent in processes that hold no sockets. */
  readonly listener?: BusListener;
  /** What this process answers to other nodes; absent in processes that hold no sockets. */
  readonly answer?: (question: QuestionName, args: unknown) => unknown;
  readonly identity: BusIdentity;
  readonly clock: Clock;
  readonly log: Log;
  /** The node is being started: it fails when Redis is not reached. Later a process comes up without it and waits for it. */
  readonly mustReach: boolean;
  readonly onHealth?: (healthy: boolean) => void;
  /** Logs when another node has this node's name: one process of a node does. */
  readonly warnsOfTwin?: boolean;
}

export interface OpenedBus {
  readonly bus: Bus & { readonly counts: BusCounts };
  /** The master's note `bus`, which comes in PUSHENV 0 only. */
  readonly receive: (texts: readonly string[]) => void;
  /** The master's note `bus.gap`: news of another process of this node was lost. */
  readonly gap: () => void;
  /** So many messages of other processes were refused, by reason; null: this bus trusts its sender, the master. */
  readonly refused: Readonly<Record<string, number>> | null;
  /** Makes a nonce good once on all nodes; `own` is what makes it so on this one. */
  readonly nonces: (own: NonceClaims) => NonceClaims;
}

export async function openBus(config: Config, deps: OpenBusDeps): Promise<OpenedBus> {
  const { peer, listener, log, mustReach, clock } = deps;
  if (config.env === 0) {
    const bus = new LocalBus({ peer, log, ...(listener ? { listener } : {}) });
    return {
      bus,
      receive: (texts) => bus.receive(texts),
      gap: () => bus.gap(),
      refused: null,
      nonces: (own) => own,
    };
  }
  // Loaded where it is used: it brings the driver of Redis.
  const { RedisBus } = await import('./redis/redis-bus.js');
  const { claimOnce, RedisNonces } = await import('./redis/redis-nonces.js');
  // Questions to this node alone go through the master, as they do in PUSHENV 0.
  const node = new LocalBus({ peer, log });
  const bus = await RedisBus.open(
    {
      redis: config.redis,
      identity: deps.identity,
      clock,
      log,
      askNode: (question, args, options) => node.ask(question, args, options),
      ...(listener ? { listener } : {}),
      ...(deps.answer ? { answer: deps.answer } : {}),
      ...(deps.onHealth ? { onHealth: deps.onHealth } : {}),
      warnsOfTwin: deps.warnsOfTwin ?? false,
    },
    { mustReach },
  );
  const all = new RedisNonces(bus);
  const { refused } = bus.counts;
  return {
    bus,
    receive() {},
    gap: () => bus.siblingDied(),
    refused,
    nonces: (own) => claimOnce(own, all, { log, clock }),
  };
}
