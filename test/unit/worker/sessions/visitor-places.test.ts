import { beforeEach, expect, test } from 'vitest';
import type { LiveSession } from '../../../../src/worker/sessions/live-session.js';
import { VisitorPlaces } from '../../../../src/worker/sessions/visitor-places.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { fakeSession } from '../../../support/fake-connection.js';

const PER_ADDRESS = 3;
const clock = new FakeClock();
let free: number;
let places: VisitorPlaces;

beforeEach(() => {
  free = 10;
  places = worker();
});

/** Another Worker's places are of the same node. */
function worker(): VisitorPlaces {
  return new VisitorPlaces(
    {
      async acquire() {
        if (free === 0) return false;
        free -= 1;
        return true;
      },
      release() {
        free += 1;
      },
      arrived() {},
      departed() {},
    },
    {
      budgetKey: (address) => (address === '127.0.0.1' ? null : address),
      perAddress: () => PER_ADDRESS,
    },
  );
}

function session(address: string): LiveSession {
  const made = fakeSession(clock);
  return { ...made, data: { ...made.data, address } };
}

const taken = async (address: string, count: number): Promise<number> => {
  const all = await Promise.all(Array.from({ length: count }, () => places.take(session(address))));
  return all.filter(Boolean).length;
};

test('one address has its share, also of those that come together; others find room', async () => {
  expect(await taken('203.0.113.9', 50)).toBe(PER_ADDRESS);
  expect(await places.reserve('203.0.113.9')).toEqual({ granted: false, reason: 'visitors-address' });
  expect(await taken('203.0.113.10', 1)).toBe(1);
  expect(free).toBe(10 - PER_ADDRESS - 1);
});

test('loopback has no share of its own, and the node has an end', async () => {
  expect(await taken('127.0.0.1', 50)).toBe(10);
  expect(await places.reserve('203.0.113.9')).toEqual({ granted: false, reason: 'visitors' });
  free = 10;
  expect(await taken('203.0.113.9', 50)).toBe(PER_ADDRESS);
});

test('who logs in, closes or was not opened gives both places back', async () => {
  const one = session('203.0.113.9');
  for (let round = 0; round < 2 * PER_ADDRESS; round += 1) {
    expect(await places.take(one)).toBe(true);
    places.giveBack(one);
    const place = await places.reserve('203.0.113.9');
    if (place.granted) place.drop();
    const gone = session('203.0.113.9');
    expect(await places.take(gone)).toBe(true);
    places.closed(gone);
  }
  expect(free).toBe(10);
  expect(await taken('203.0.113.9', 50)).toBe(PER_ADDRESS);
});

test('a place goes with its session to another Worker, whatever the share there', async () => {
  const other = worker();
  const sessions = Array.from({ length: PER_ADDRESS }, () => session('203.0.113.9'));
  for (const each of sessions) expect(await other.take(each)).toBe(true);
  expect(await taken('203.0.113.9', PER_ADDRESS)).toBe(PER_ADDRESS);
  for (const each of sessions) {
    other.departed(each);
    places.arrived(each);
  }
  expect(await taken('203.0.113.9', 1)).toBe(0);
  for (const each of sessions) places.closed(each);
  expect(await taken('203.0.113.9', 1)).toBe(0);
  expect((await other.reserve('203.0.113.9')).granted).toBe(true);
});
