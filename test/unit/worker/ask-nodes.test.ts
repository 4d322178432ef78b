import { expect, test } from 'vitest';
import type { Bus } from '../../../src/platform/bus/bus.js';
import { OTHERS_UNREACHED } from '../../../src/platform/bus/bus.js';
import { askNodes } from '../../../src/worker/ask-nodes.js';

const answer = (node: string, run: string) => ({ from: `${node}-${run}/w`, result: { node, run } });

function busOf(answers: ReturnType<typeof answer>[], silent: string[]): Pick<Bus, 'ask'> {
  return { ask: (async () => ({ answers, silent })) as unknown as Bus['ask'] };
}

test('a node counts once, whichever of its Workers answered, and is not silent when one did', async () => {
  const bus = busOf(
    [answer('a', '1'), answer('a', '1'), answer('a', '2'), answer('b', '3')],
    ['a-1/spush.m.Worker.1', 'c-4/spush.m.Worker.0', 'c-4/spush.m.Worker.1'],
  );
  const { nodes, silent } = await askNodes(bus, 250);
  expect(nodes.map(({ node, run }) => `${node}-${run}`)).toEqual(['a-1', 'a-2', 'b-3']);
  expect(silent).toEqual(['c-4']);
});

test('while Redis is away that is said, and own processes are not taken for nodes', async () => {
  const bus = busOf([answer('a', '1')], ['spush.m.Worker.1', OTHERS_UNREACHED]);
  expect((await askNodes(bus, 250)).silent).toEqual([OTHERS_UNREACHED]);
});
