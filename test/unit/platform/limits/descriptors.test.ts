import { beforeEach, describe, expect, test } from 'vitest';
import type { Config } from '../../../../src/platform/config/config-schema.js';
import {
  assertEnoughDescriptors,
  descriptorLimit,
  descriptorShortage,
  effectiveMaxLinks,
  masterRoom,
  workerRoom,
} from '../../../../src/platform/limits/descriptors.js';
import { testConfig } from '../../../support/test-config.js';

let config: Config;

beforeEach(async () => {
  config = await testConfig({ WorkerNum: '2', MaxLinkNumber: '10000', HttpConnectionsMax: '2048' });
});

describe('the limit of open files', () => {
  test('of this process is known on Linux', () => {
    expect(descriptorLimit()).toBeGreaterThan(100);
  });

  test.each([200, 256, 1024, 5000, 1_000_000])('of %i is never spent on connections alone', (limit) => {
    const { links, http } = workerRoom(config, limit);
    expect(links).toBeGreaterThan(0);
    expect(http).toBeGreaterThan(15);
    // At rest a Worker has 34.
    expect(limit - links - http).toBeGreaterThanOrEqual(34 + 32);
    expect(http).toBeLessThanOrEqual(2048);
  });

  test('bounds MaxLinkNumber, and says what would be enough', () => {
    expect(effectiveMaxLinks(config, 1024)).toBeLessThan(2000);
    expect(effectiveMaxLinks(config, 100_000)).toBe(10_000);
    expect(descriptorShortage(config, 100_000)).toBeNull();
    const text = descriptorShortage(config, 1024) ?? '';
    const enough = Number(/; (\d+) are needed/.exec(text)?.[1]);
    expect(text).toContain('1024 open files');
    expect(effectiveMaxLinks(config, enough)).toBe(10_000);
    expect(effectiveMaxLinks(config, enough - 20)).toBeLessThan(10_000);
  });

  test('that is not known bounds nothing', () => {
    expect(effectiveMaxLinks(config, null)).toBe(10_000);
    expect(descriptorShortage(config, null)).toBeNull();
    expect(() => assertEnoughDescriptors(config, null)).not.toThrow();
  });

  test('that leaves room for nobody is refused, with what is needed', () => {
    expect(() => assertEnoughDescriptors(config, 100)).toThrow(
      /may have 100 open files; spush needs \d+ at least/,
    );
    expect(() => assertEnoughDescriptors(config, 200)).not.toThrow();
  });

  test('lets connections wait in the master, within bounds', () => {
    expect(masterRoom(config, 200)).toBeGreaterThanOrEqual(16);
    expect(masterRoom(config, 1_000_000)).toBe(1024);
  });
});
