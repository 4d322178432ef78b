/** Which bus a configuration leads to, and which questions leave the node. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { OTHERS_UNREACHED } from '../../src/platform/bus/bus.js';
import { newBusIdentity } from '../../src/platform/bus/bus-identity.js';
import { LocalBus, type LocalBusOptions } from '../../src/platform/bus/local-bus.js';
import { type OpenBusDeps, openBus } from '../../src/platform/bus/open-bus.js';
import { RedisBus } from '../../src/platform/bus/redis/redis-bus.js';
import { systemClock } from '../../src/platform/clock/system-clock.js';
import type { Config } from '../../src/platform/config/config-schema.js';
import { silentLog } from '../../src/platform/log/log.js';
import { OwnRedis, redisProgram, until } from '../support/own-redis.js';
import { redisConfig } from '../support/redis-buses.js';
import { testConfig } from '../support/test-config.js';

const UIDS = { uids: [1], next: null };

/** A master whose one Worker answers every question in the same way. */
function deps(): OpenBusDeps & { readonly asked: string[] } {
  const asked: string[] = [];
  const peer = {
    call: async (name: string, args: { question?: string }) => {
      asked.push(`${name} ${args.question ?? ''}`.trim());
      return { answers: [{ from: 'worker.0', result: UIDS }], silent: [] };
    },
    note() {},
  } as unknown as LocalBusOptions['peer'];
  const identity = newBusIdentity('spush.test.Worker.0');
  return {
    asked,
    peer,
    identity,
    clock: systemClock,
    log: silentLog,
    mustReach: true,
    answer: () => ({ closed: 1 }),
  };
}

async function configWith(port: number): Promise<Config> {
  return { ...(await testConfig()), env: 1, redis: redisConfig({ port }) };
}

describe('openBus', () => {
  it('goes through the master in PUSHENV 0', async () => {
    const opened = await openBus(await testConfig(), deps());
    expect(opened.bus).toBeInstanceOf(LocalBus);
    const own = { claim: async () => true };
    expect(opened.nonces(own)).toBe(own);
    await opened.bus.close();
  });

  it('says why it cannot start in PUSHENV 1 without Redis', async () => {
    await expect(openBus(await configWith(1), deps())).rejects.toMatchObject({ code: 'START_FAILED' });
  });

  it.skipIf(redisProgram() === null)(
    'goes through Redis in PUSHENV 1, for what concerns other nodes',
    async () => {
      const server = await OwnRedis.start();
      const own = deps();
      const { bus, nonces } = await openBus(await configWith(server.port), own);
      onTestFinished(() => bus.close());
      expect(bus).toBeInstanceOf(RedisBus);
      const kicked = await bus.ask('kick', { uid: 1, reason: 'r' }, { deadlineMs: 500 });
      expect(kicked).toMatchObject({ answers: [{ result: { closed: 1 } }], silent: [] });
      expect(own.asked).toEqual([]);

      const page = await bus.ask('uids', { after: 0, limit: 10 }, { deadlineMs: 500 });
      expect(page.answers).toEqual([{ from: 'worker.0', result: UIDS }]);
      expect(own.asked).toEqual(['workers.ask uids']);

      const claims = nonces({ claim: async () => true });
      const soon = Math.floor(Date.now() / 1000);
      expect([await claims.claim('k', 'n', soon), await claims.claim('k', 'n', soon)]).toEqual([true, false]);

      await server.kill();
      await until('it has noticed', async () => {
        const { silent } = await bus.ask('kick', { uid: 1, reason: 'r' }, { deadlineMs: 500 });
        return silent.includes(OTHERS_UNREACHED);
      });
      expect(own.asked).toContain('workers.ask kick');
      expect(await claims.claim('k', 'n2', soon)).toBe(true);
    },
  );
});
