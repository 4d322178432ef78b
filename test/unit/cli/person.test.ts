import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { PersonAtTerminal } from '../../../src/cli/person.js';

function person({ isTTY }: { isTTY?: boolean } = {}) {
  const input = Object.assign(new PassThrough(), { isTTY });
  const output = new PassThrough({ encoding: 'utf8' });
  return { person: new PersonAtTerminal({ input, output }), input, output };
}

test('a person is there when standard input is a terminal', () => {
  expect(person({ isTTY: true }).person.present).toBe(true);
  expect(person().person.present).toBe(false);
});

test('the answer is one line', async () => {
  const { person: asked, input, output } = person();
  const answer = asked.ask('Sure? ');
  input.write('y\nmore\n');
  expect(await answer).toBe('y');
  expect(output.read()).toBe('Sure? ');
});

test('the end of the input is an empty answer', async () => {
  const { person: asked, input, output } = person();
  const answer = asked.ask('Sure? ');
  input.end();
  expect(await answer).toBe('');
  expect(output.read()).toBe('Sure? \n');
});

test('Ctrl-C ends a wait, and every later one', async () => {
  const { person: waiting } = person();
  expect(await waiting.waitUnlessInterrupted(0)).toBe(true);
  const long = waiting.waitUnlessInterrupted(60_000);
  process.emit('SIGINT');
  expect(await long).toBe(false);
  expect(await waiting.waitUnlessInterrupted(60_000)).toBe(false);
});
