/** Who is signalled: the process that was meant, and no other that has its number. */
import { expect, test } from 'vitest';
import { factsOf, identityIn } from '../../../../src/platform/instance/process-identity.js';
import { type KnownProcess, signalProcess } from '../../../../src/platform/instance/signal-process.js';
import { LIVES, runProgram } from '../../../support/programs.js';

const TITLE = 'spush.x.Master';

async function known() {
  const program = await runProgram(`process.title = '${TITLE}'; ${LIVES}`);
  await program.line();
  const facts = factsOf(program.pid);
  if (facts === null) throw new Error('it has ended');
  const process: KnownProcess = { identity: identityIn(facts), uid: facts.uid, title: TITLE };
  return { program, process };
}

test('the one that was meant gets the signal', async () => {
  const { program, process } = await known();
  expect(signalProcess(process, 'SIGTERM')).toBe(true);
  await program.ended();
  expect(signalProcess(process, 'SIGTERM')).toBe(false);
});

test.each<[string, (process: KnownProcess) => KnownProcess]>([
  [
    'another moment of its start',
    ({ identity, ...rest }) => ({ ...rest, identity: { ...identity, startTicks: identity.startTicks + 1 } }),
  ],
  [
    'another boot',
    ({ identity, ...rest }) => ({ ...rest, identity: { ...identity, bootId: 'the boot before' } }),
  ],
  [
    'another container',
    ({ identity, ...rest }) => ({ ...rest, identity: { ...identity, pidNamespace: 'pid:[1]' } }),
  ],
  ['another user', (process) => ({ ...process, uid: process.uid + 1 })],
  ['another title', (process) => ({ ...process, title: 'spush.y.Master' })],
])('one with %s gets none', async (_what, changed) => {
  const { program, process } = await known();
  expect(signalProcess(changed(process), 'SIGKILL')).toBe(false);
  expect(factsOf(program.pid)?.title).toBe(TITLE);
});
