import { expect, it } from 'vitest';
import { processFigures } from '../../../../src/master/status/process-figures.js';
import { LIVES, runProgram } from '../../../support/programs.js';
import { recordedLog } from '../../../support/recorded-log.js';

it('tells CPU and memory of processes, and leaves out those that are gone', async () => {
  const program = await runProgram(LIVES);
  await program.line();
  const gone = 2 ** 22 + 1;
  const figures = await processFigures(recordedLog())([process.pid, program.pid, gone]);
  expect([...figures.keys()].sort()).toEqual([process.pid, program.pid].sort());
  const { cpu, memory, memoryPeak } = figures.get(program.pid) ?? { cpu: -1, memory: 0, memoryPeak: 0 };
  expect(cpu).toBeGreaterThanOrEqual(0);
  expect(memory).toBeGreaterThan(10_000_000);
  expect(memoryPeak).toBeGreaterThanOrEqual(memory);
});

it('says in the log why it knows nothing', async () => {
  const log = recordedLog();
  expect((await processFigures(log)([2 ** 22 + 1])).size).toBe(0);
  expect(log.lines).toMatchObject([{ level: 'warn', event: 'process.figuresUnknown' }]);
});
