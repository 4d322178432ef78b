import { afterAll, beforeAll, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { WsClient } from '../support/ws-client.js';

let daemon: Daemon;

beforeAll(async () => {
  daemon = await Daemon.start({
    env: { SPUSH_IDLE_SECONDS: '2', SPUSH_IDLE_GRACE_SECONDS: '1', SPUSH_IDLE_CHECK_SECONDS: '0.5' },
  });
});

afterAll(() => daemon.dispose());

test('a silent connection is closed with 4001; one that only receives, and one that only pings, stay', async () => {
  const silent = await WsClient.login(daemon.wsUrl, 1);
  const receiving = await WsClient.login(daemon.wsUrl, 2, {});
  const pinging = await WsClient.login(daemon.wsUrl, 3);
  const started = Date.now();
  const traffic = setInterval(() => {
    void daemon.post('/api/comment/message', { uid: 2, title: 'x' });
    pinging.send('ping');
  }, 1000);
  try {
    const closed = await silent.untilClosed(10_000);
    expect(closed.code).toBe(4001);
    expect(Date.now() - started).toBeGreaterThanOrEqual(2900);
    expect((await silent.event('bye')).body.retryAfter).toBeGreaterThan(0);
    await receiving.until(() => receiving.items.length >= 8, 15_000);
    expect(receiving.closed).toBeNull();
    expect(pinging.closed).toBeNull();
  } finally {
    clearInterval(traffic);
  }
  await Promise.all([receiving.close(), pinging.close()]);
});
