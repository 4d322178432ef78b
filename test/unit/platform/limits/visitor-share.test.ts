import { expect, test } from 'vitest';
import { effectiveMaxLinks } from '../../../../src/platform/limits/descriptors.js';
import { visitorShare } from '../../../../src/platform/limits/visitor-share.js';
import { testConfig } from '../../../support/test-config.js';

const WORKERS = { WorkerNum: '4' };

test.each([
  [{}, { max: 10_000, perAddress: 250 }],
  [{ MaxLinkNumber: '100' }, { max: 100, perAddress: 16 }],
  [{ MaxLinkNumber: '1' }, { max: 1, perAddress: 16 }],
  [{ VisitorMax: '8000' }, { max: 8000, perAddress: 200 }],
  [{ VisitorMax: '20000' }, { max: 10_000, perAddress: 250 }],
  [{ VisitorsPerAddress: '3' }, { max: 10_000, perAddress: 3 }],
])('visitors have their share of all connections: %o', async (settings, share) => {
  expect(visitorShare(await testConfig({ ...WORKERS, ...settings }), null)).toEqual(share);
});

test('visitors have their share of the connections that the process has descriptors for', async () => {
  const config = await testConfig({ ...WORKERS, MaxLinkNumber: '100000' });
  const links = effectiveMaxLinks(config, 1024);
  expect(links).toBeLessThan(4 * 1024);
  expect(visitorShare(config, 1024)).toEqual({ max: links, perAddress: Math.floor(links / 40) });
});
