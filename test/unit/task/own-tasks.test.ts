import { describe, expect, it } from 'vitest';
import { ownTasks, RESULT_BYTES_MAX } from '../../../src/task/own-tasks.js';
import { recordedLog } from '../../support/recorded-log.js';

function setUp(run: Parameters<typeof ownTasks>[0][number]['run']) {
  const log = recordedLog();
  const { signal } = new AbortController();
  const [task] = ownTasks([{ name: 'own', run }], log);
  return { log, signal, run: (args: unknown) => task?.run(args, { signal }) };
}

describe('ownTasks', () => {
  it('gives a task its arguments, its signal and a log that names it', async () => {
    const seen: unknown[] = [];
    const { run, signal, log } = setUp((args, context) => {
      seen.push(args, context.signal);
      context.log.info('hello', { n: 1 });
      return { answer: 42 };
    });
    expect(await run({ a: 1 })).toEqual({ answer: 42 });
    expect(seen).toEqual([{ a: 1 }, signal]);
    expect(log.lines).toEqual([{ level: 'info', event: 'hello', fields: { n: 1, task: 'own' } }]);
  });

  it('makes of a result what JSON makes of it; nothing is null', async () => {
    expect(await setUp(() => undefined).run({})).toBeNull();
    expect(await setUp(async () => new Date(0)).run({})).toBe('1970-01-01T00:00:00.000Z');
  });

  it.each([
    ['cannot be sent', () => 1n, 'its result cannot be sent'],
    ['is too large', () => 'x'.repeat(RESULT_BYTES_MAX), `at most ${RESULT_BYTES_MAX} can be sent`],
  ])('fails when its result %s', async (_what, run, text) => {
    await expect(setUp(run).run({})).rejects.toMatchObject({
      code: 'TASK_FAILED',
      message: expect.stringContaining(text),
    });
  });

  it('fails with what is thrown, also before the first await', async () => {
    const thrown = new RangeError('no');
    const { run } = setUp(() => {
      throw thrown;
    });
    await expect(run({})).rejects.toBe(thrown);
  });
});
