import { expect, test } from 'vitest';
import { OwnFigures } from '../../../../src/master/status/node-figures.js';
import { childStats } from '../../../../src/platform/rpc/child-stats.js';

function figures(askChildren: () => Promise<void>): OwnFigures {
  return new OwnFigures({
    run: '00000001',
    version: '1',
    versions: () => ['1.2.3'],
    startedAt: 0,
    nodeName: () => 'web1',
    maxLinkNumber: () => 1,
    askChildren,
    sum: () => childStats({ connections: 7 }),
    workerNum: () => 1,
    taskNum: () => 1,
  });
}

test('several who ask at once share one question to the children', async () => {
  let asked = 0;
  const own = figures(async () => {
    asked += 1;
  });
  await Promise.all([own.soon(), own.soon()]);
  expect(asked).toBe(1);
  await own.soon();
  expect(asked).toBe(2);
});

test('a child that hangs is not waited for: what it said last counts', async () => {
  expect(await figures(() => new Promise(() => {})).soon()).toMatchObject({ node: 'web1', connectionNum: 7 });
});
