/** Buses on own Redis servers, as several processes of several nodes have them. */
import { randomBytes } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { newBusIdentity } from '../../src/platform/bus/bus-identity.js';
import { memberName } from '../../src/platform/bus/redis/members.js';
import { RedisBus, type RedisBusOptions } from '../../src/platform/bus/redis/redis-bus.js';
import { systemClock } from '../../src/platform/clock/system-clock.js';
import { type RedisConf, type RedisConfig, redisSchema } from '../../src/platform/config/config-schema.js';
import type { BusEvent } from '../../src/shared/protocol/bus-events.js';
import type { BusMember, JoinOptions } from '../contract/bus-contract.js';
import { recordedLog } from './recorded-log.js';

export const BUS_KEY = { id: 'a', secret: 'a secret of a test, which is long enough' };

export function redisConfig(conf: RedisConf): RedisConfig {
  return redisSchema.parse({ busKeys: [BUS_KEY], prefix: `t${randomBytes(4).toString('hex')}:`, ...conf });
}

export interface RedisMember extends BusMember {
  readonly bus: RedisBus;
  readonly log: ReturnType<typeof recordedLog>;
  /** What onHealth said, with when (ms). */
  readonly health: { readonly healthy: boolean; readonly at: number }[];
  /** In order: `up`, `down`, `gap`, and the marks of events. */
  readonly story: string[];
  /** Since when each gap was (Unix ms), as onGap told it. */
  readonly gapsSince: (number | null)[];
}

export async function joinRedis(
  redis: RedisConfig,
  { answer, ...options }: JoinOptions & Partial<RedisBusOptions> = {},
  mustReach = true,
): Promise<RedisMember> {
  const events: BusEvent[] = [];
  const health: RedisMember['health'] = [];
  const story: string[] = [];
  const gapsSince: RedisMember['gapsSince'] = [];
  const log = recordedLog();
  const identity = newBusIdentity('spush.test.Worker.0', 'host');
  let gaps = 0;
  const bus = await RedisBus.open(
    {
      redis,
      identity,
      clock: systemClock,
      log,
      listener: {
        onEvent: (event) => {
          events.push(event);
          story.push('event');
        },
        onGap: (since) => {
          gaps += 1;
          gapsSince.push(since);
          story.push('gap');
        },
      },
      onHealth: (healthy) => {
        health.push({ healthy, at: performance.now() });
        story.push(healthy ? 'up' : 'down');
      },
      ...(answer ? { answer } : {}),
      ...options,
    },
    { mustReach },
  );
  onTestFinished(() => bus.close());
  return { name: memberName(identity), bus, events, gaps: () => gaps, log, health, story, gapsSince };
}
