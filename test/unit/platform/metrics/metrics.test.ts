import { describe, expect, test, vi } from 'vitest';
import { silentLog } from '../../../../src/platform/log/log.js';
import { openLoopDelay } from '../../../../src/platform/metrics/loop-delay.js';
import { measuredStore } from '../../../../src/platform/metrics/measured-store.js';
import { type FollowedCounts, Metrics } from '../../../../src/platform/metrics/metrics.js';
import { scrape } from '../../../../src/platform/metrics/scrape.js';
import type { MessageStore } from '../../../../src/platform/store/message-store.js';
import type { NodeTroubles } from '../../../../src/shared/protocol/node-troubles.js';

import { FakeClock } from '../../../support/fake-clock.js';

const counts: FollowedCounts = {
  connections: 5,
  sessions: 3,
  accepted: 10,
  closed: 5,
  requests: 20,
  pushes: 100,
  acks: 90,
  dropped: 1,
  slowClosed: 0,
  idleClosed: 2,
  lostCut: 0,
  busDropped: 0,
};

function busOf(answers: { from: string; result: { metrics: unknown[] } }[], silent: string[] = []) {
  return { ask: vi.fn(async () => ({ answers, silent })) };
}

/** What a Worker's answer is after it has travelled. */
async function travelled(metrics: Metrics): Promise<{ metrics: unknown[] }> {
  return JSON.parse(JSON.stringify({ metrics: await metrics.json() }));
}

describe('metrics', () => {
  test('have names that begin with spush_, and a help text', async () => {
    const metrics = new Metrics({ loopDelay: { take: () => ({ p50: 0, p99: 0, max: 0 }), close() {} } });
    metrics.follow(() => counts);
    for (const { name, help } of metrics.registry.getMetricsAsArray()) {
      expect(name).toMatch(/^spush_[a-z_]+$/);
      expect(help).toMatch(/\.$/);
    }
  });

  test('follow figures that are kept elsewhere', async () => {
    const metrics = new Metrics();
    let pushes = 100;
    metrics.follow(() => ({ ...counts, pushes }));
    expect(await metrics.registry.metrics()).toContain('spush_pushes_total 100');
    pushes = 101;
    const page = await metrics.registry.metrics();
    expect(page).toContain('spush_pushes_total 101');
    expect(page).toContain('spush_connections 5');
    expect(page).toContain('spush_sessions 3');
  });

  test('follow what the bus refuses, reason by reason', async () => {
    const metrics = new Metrics();
    const refused = { forged: 0, replayed: 2 };
    metrics.followBusRefused(() => refused);
    expect(await metrics.registry.metrics()).toContain('spush_bus_refused_total{reason="forged"} 0');
    refused.forged = 1;
    const page = await metrics.registry.metrics();
    expect(page).toContain('spush_bus_refused_total{reason="forged"} 1');
    expect(page).toContain('spush_bus_refused_total{reason="replayed"} 2');
  });

  test('follow the troubles of the node, asked once for each page', async () => {
    const metrics = new Metrics();
    const asked = vi.fn(async (): Promise<NodeTroubles> => ({ log: { processes: 2, failures: 40 } }));
    metrics.followTroubles(asked);
    const page = await metrics.registry.metrics();
    expect(page).toContain('spush_troubles{trouble="log"} 2');
    expect(page).toContain('spush_trouble_failures_total{trouble="log"} 40');
    expect(asked).toHaveBeenCalledOnce();
    asked.mockResolvedValue({ log: { processes: 0, failures: 41 } });
    expect(await metrics.registry.metrics()).toContain('spush_troubles{trouble="log"} 0');
  });

  test('count what they are told', async () => {
    const metrics = new Metrics({
      processFigures: true,
      loopDelay: { take: () => ({ p50: 0.001, p99: 0.01, max: 0.2 }), close() {} },
    });
    metrics.linkRefused('full');
    metrics.httpAnswered('/healthz', 200);
    metrics.httpAnswered('/healthz', 200);
    metrics.groupCommitted(7);
    metrics.gzcp.count('cached');
    metrics.gzcp.breaker('open');
    const page = await metrics.registry.metrics();
    for (const line of [
      'spush_links_refused_total{reason="full"} 1',
      'spush_http_requests_total{path="/healthz",status="200"} 2',
      'spush_store_group_size_bucket{le="10"} 1',
      'spush_gzcp_total{outcome="cached"} 1',
      'spush_gzcp_total{outcome="failure"} 0',
      'spush_gzcp_breaker 2',
      'spush_loop_delay_seconds{quantile="1"} 0.2',
    ]) {
      expect(page).toContain(line);
    }
    expect(page).toContain('process_resident_memory_bytes');
  });
});

test('a measured store does what the store does, and its calls are timed', async () => {
  const metrics = new Metrics();
  const store = measuredStore(
    {
      unread: async () => ({ comment: 1, userNotice: 0, systemNotice: 0, total: 1 }),
      probe: () => Promise.reject(new Error('disk full')),
    } as unknown as MessageStore,
    { metrics, clock: new FakeClock() },
  );
  expect(await store.unread(5)).toMatchObject({ total: 1 });
  await expect(store.probe()).rejects.toThrow('disk full');
  const page = await metrics.registry.metrics();
  expect(page).toContain('spush_store_seconds_count{call="unread",ok="true"} 1');
  expect(page).toContain('spush_store_seconds_count{call="probe",ok="false"} 1');
});

test('the loop’s delay is told and starts afresh', () => {
  const delay = openLoopDelay();
  expect(delay.take()).toEqual({ p50: 0, p99: 0, max: 0 });
  delay.close();
});

describe('the page for Prometheus', () => {
  test('adds all Workers up, takes the worst where adding means nothing, and names who is missing', async () => {
    const [one, two] = [new Metrics(), new Metrics()];
    for (const metrics of [one, two]) metrics.follow(() => counts);
    one.gzcp.breaker('open');
    one.storeCalled('accept', 0.004, true);
    two.storeCalled('accept', 0.004, true);
    const bus = busOf(
      [
        { from: 'Worker.0', result: await travelled(one) },
        { from: 'Worker.1', result: await travelled(two) },
      ],
      ['Worker.2'],
    );
    const { contentType, text } = await scrape({ bus: bus as never, metrics: one, log: silentLog });
    expect(contentType).toContain('text/plain');
    for (const line of [
      'spush_connections 10',
      'spush_pushes_total 200',
      'spush_gzcp_breaker 2',
      'spush_store_seconds_bucket{le="0.005",call="accept",ok="true"} 2',
      'spush_scrape_processes 2',
      'spush_scrape_silent 1',
    ]) {
      expect(text).toContain(line);
    }
  });

  test('leaves nonsense out and counts it', async () => {
    const one = new Metrics();
    const bus = busOf([
      { from: 'a', result: await travelled(one) },
      { from: 'b', result: { metrics: [{ name: 'x', aggregator: 'hack', values: [] }] } },
      { from: 'c', result: { metrics: null as never } },
      { from: 'd', result: null as never },
    ]);
    const { text } = await scrape({ bus: bus as never, metrics: one, log: silentLog });
    expect(text).toContain('spush_scrape_processes 1');
    expect(text).toContain('spush_scrape_silent 3');
  });

  test('is this Worker’s alone when the others cannot be asked', async () => {
    const metrics = new Metrics();
    metrics.linkRefused('full');
    const bus = { ask: () => Promise.reject(new Error('master gone')) };
    const { text } = await scrape({ bus, metrics, log: silentLog });
    expect(text).toContain('spush_links_refused_total{reason="full"} 1');
    expect(text).toContain('spush_scrape_silent 1');
  });
});
