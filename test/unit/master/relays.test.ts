import { expect, test } from 'vitest';
import { FrontDoor } from '../../../src/master/accept/front-door.js';
import { NonceBook } from '../../../src/master/relay/nonce-book.js';
import { NonceFile } from '../../../src/master/relay/nonce-file.js';
import { Relays } from '../../../src/master/relays.js';
import type { Child } from '../../../src/master/supervisor/child.js';
import type { ChildEnd } from '../../../src/master/supervisor/child-process.js';
import { Troubles } from '../../../src/platform/health/troubles.js';
import { FakeClock } from '../../support/fake-clock.js';
import { recordedLog } from '../../support/recorded-log.js';
import { testConfig } from '../../support/test-config.js';

class FakeWorker {
  readonly role = 'worker';
  readonly holdsSockets = true;
  readonly name: string;
  readonly readySince: number | null;
  readonly notes: string[] = [];
  readonly peer = { note: (name: string): void => void this.notes.push(name) };

  constructor(name: string, readySince: number | null = 1) {
    this.name = name;
    this.readySince = readySince;
  }

  get child(): Child {
    return this as unknown as Child;
  }
}

const DIED: ChildEnd = { exitCode: null, signal: 'SIGKILL', spawnError: null };

async function afterEndOf(ending: FakeWorker, end: ChildEnd): Promise<string[]> {
  const config = await testConfig();
  const [clock, log] = [new FakeClock(), recordedLog()];
  const book = new NonceBook(clock);
  const troubles = new Troubles(clock);
  const relays = new Relays({
    nonces: { book, file: new NonceFile('/nowhere/nonces', { book, troubles, clock }) },
    config: () => config,
    descriptors: null,
    door: new FrontDoor({ clock, log, waitingMax: () => 1, isShared: () => false }),
    clock,
    log,
    workers: () => [],
    figures: () => Promise.reject(new Error('not asked for here')),
    troubles: () => Promise.reject(new Error('not asked for here')),
    onMemoryAbove: () => {},
  });
  const other = new FakeWorker('spush.test.Worker.1');
  for (const { child } of [ending, other]) relays.onConnected(child);
  relays.onEnded(ending.child, end);
  return other.notes.filter((name) => name === 'bus.gap');
}

test('the others look into the store when a Worker dies: it may have answered what it did not tell them', async () => {
  for (const end of [DIED, { ...DIED, exitCode: 70, signal: null }])
    expect(await afterEndOf(new FakeWorker('spush.test.Worker.0'), end)).toEqual(['bus.gap']);
});

test('nobody is troubled by one that ends in order, or that never served anybody', async () => {
  const inOrder = { ...DIED, exitCode: 0, signal: null };
  expect(await afterEndOf(new FakeWorker('spush.test.Worker.0'), inOrder)).toEqual([]);
  expect(await afterEndOf(new FakeWorker('spush.test.Worker.0', null), DIED)).toEqual([]);
});
