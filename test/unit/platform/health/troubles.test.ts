import { describe, expect, test } from 'vitest';
import { Troubles } from '../../../../src/platform/health/troubles.js';
import { addUpTroubles, troubleReportSchema } from '../../../../src/shared/protocol/node-troubles.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { recordedLog } from '../../../support/recorded-log.js';

function setUp() {
  const clock = new FakeClock(1000);
  const log = recordedLog();
  const troubles = new Troubles(clock);
  return { clock, log, troubles };
}

describe('a trouble', () => {
  test('lasts from its first failure to its end, and is two lines in the log', () => {
    const { clock, log, troubles } = setUp();
    troubles.tellIn(log);
    troubles.begin('log', 'the disk is full');
    clock.advance(500);
    troubles.begin('log', 'the disk is still full', 3);
    expect(troubles.has('log')).toBe(true);
    expect(troubles.report()).toEqual({
      now: [{ name: 'log', text: 'the disk is still full', since: 1000, failures: 4 }],
      failures: { log: 4 },
    });
    troubles.end('log');
    troubles.end('log');
    expect(troubles.report()).toEqual({ now: [], failures: { log: 4 } });
    expect(log.lines).toEqual([
      { level: 'warn', event: 'trouble.begun', fields: { trouble: 'log', text: 'the disk is full' } },
      {
        level: 'info',
        event: 'trouble.ended',
        fields: { trouble: 'log', failures: 4, since: '1970-01-01T00:00:01.000Z' },
      },
    ]);
  });

  test('that began before there was a log is told in it', () => {
    const { log, troubles } = setUp();
    troubles.begin('notify', 'systemd is deaf');
    troubles.tellIn(log);
    expect(log.lines.map(({ event }) => event)).toEqual(['trouble.begun']);
  });

  test('is told once, also when the log is what is in trouble', () => {
    const { troubles } = setUp();
    let lines = 0;
    troubles.tellIn({
      info() {},
      warn: () => {
        lines += 1;
        troubles.begin('log', 'cannot be written');
      },
    });
    troubles.begin('log', 'cannot be written');
    expect(lines).toBe(1);
    expect(troubles.report().failures).toEqual({ log: 2 });
  });
});

test('the troubles of a node are those of its processes, added up by name', () => {
  const reports = [setUp(), setUp(), setUp()].map(({ troubles }, n) => {
    if (n > 0) troubles.begin('log', 'full', n);
    if (n === 1) troubles.end('log');
    return troubleReportSchema.parse(structuredClone(troubles.report()));
  });
  expect(addUpTroubles(reports)).toEqual({ log: { processes: 1, failures: 3 } });
});
