import { beforeEach, describe, expect, test, vi } from 'vitest';
import { SpushError } from '../../../../src/shared/base/errors.js';
import type { TravellingSession } from '../../../../src/shared/protocol/handoff.js';
import { Arrivals } from '../../../../src/worker/handoff/arrivals.js';
import type { Arrived, Reception } from '../../../../src/worker/handoff/reception.js';
import { type Kept, TransitBox } from '../../../../src/worker/handoff/transit-box.js';
import { UserFollows } from '../../../../src/worker/sessions/user-follows.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { fakeSession } from '../../../support/fake-connection.js';
import { itemFor, loginOf } from '../../../support/messages.js';
import { CountedHandle, travelling } from '../../../support/moving-workers.js';
import { recordedLog } from '../../../support/recorded-log.js';

/** A socket is the handle it was made of: to close its copy is to close that. */
vi.mock('../../../../src/worker/handoff/socket-surgery.js', () => ({
  socketFromHandle: (handle: CountedHandle) => handle,
  closeCopy: (handle: CountedHandle) => handle.close(),
}));

let arrivals: Arrivals;
let transit: TransitBox;
let followed: Set<number>;
let followFault: Error | null;
let prepareFault: Error | null;
let said: { name: string; args: unknown; flushed?: ((error: Error | null) => void) | undefined }[];
let served: { id: string; kept: Kept }[];
let forgotten: number;
let hasRoom: boolean;
let places: string[];

beforeEach(() => {
  transit = new TransitBox(new FakeClock());
  followed = new Set();
  followFault = null;
  prepareFault = null;
  said = [];
  served = [];
  forgotten = 0;
  hasRoom = true;
  places = [];
  const reception = {
    prepare(session: TravellingSession) {
      if (prepareFault) throw prepareFault;
      const fake = fakeSession();
      return { session: { ...fake, data: { ...fake.data, id: session.id } } } as unknown as Arrived;
    },
    serve: (_attached: Arrived, { id }: TravellingSession, kept: Kept) => served.push({ id, kept }),
  };
  arrivals = new Arrivals({
    peer: { note: (name, args, flushed) => said.push({ name, args, flushed }) },
    transit,
    follows: new UserFollows({
      async follow(uid) {
        followed.add(uid);
        if (followFault) throw followFault;
      },
      unfollow(uid) {
        followed.delete(uid);
      },
    }),
    reception: reception as unknown as Reception,
    gateway: {
      get hasRoom() {
        return hasRoom;
      },
      forget() {
        forgotten += 1;
      },
    },
    links: { arrived: () => places.push('link') },
    visitors: { arrived: () => places.push('visitor') },
    budget: { addLink: (key) => places.push(key) },
    budgetKey: (address) => address,
    onAdopted() {},
    clock: new FakeClock(),
    log: recordedLog(),
  });
});

const ofUser = travelling('a', { login: loginOf(7), holdsVisitorPlace: false });

function words(): string[] {
  return said.map(({ name }) => name);
}

describe('a session that comes', () => {
  test('is served only when the channel has its adoption, and gets what came until then', async () => {
    await arrivals.expect([{ id: 'a', uid: 7 }]);
    const handle = new CountedHandle();
    arrivals.onSession(ofUser, handle);
    transit.onEvent({ t: 'push', uid: 7, items: [itemFor(7, 1)] });
    expect([words(), served, places]).toEqual([['handoff.adopted'], [], []]);
    said[0]?.flushed?.(null);
    expect(served).toMatchObject([{ id: 'a', kept: { events: [{ t: 'push', uid: 7 }], gap: null } }]);
    expect([places, handle.closed, transit.size, followed.has(7)]).toEqual([
      ['link', '127.0.0.1'],
      0,
      0,
      true,
    ]);
  });

  test('comes with its visitor’s place', async () => {
    await arrivals.expect([{ id: 'v', uid: null }]);
    arrivals.onSession(travelling('v'), new CountedHandle());
    said[0]?.flushed?.(null);
    expect(places).toEqual(['link', 'visitor', '127.0.0.1']);
  });

  test('is not touched when the adoption does not get into the channel: it is the old Worker’s', async () => {
    await arrivals.expect([{ id: 'a', uid: 7 }]);
    const handle = new CountedHandle();
    arrivals.onSession(ofUser, handle);
    said[0]?.flushed?.(new Error('the channel is closed'));
    expect([served, places, forgotten, handle.closed]).toEqual([[], [], 1, 1]);
  });

  test('is not given up by a cancel that was late', async () => {
    await arrivals.expect([{ id: 'a', uid: 7 }]);
    arrivals.onSession(ofUser, new CountedHandle());
    arrivals.cancel(['a']);
    said[0]?.flushed?.(null);
    expect([served.length, followed.has(7)]).toEqual([1, true]);
  });

  test('is refused, and its copy closed, when it was not announced', () => {
    const handle = new CountedHandle();
    arrivals.onSession(ofUser, handle);
    expect([words(), handle.closed, served]).toEqual([['handoff.refused'], 1, []]);
  });

  test('is refused when its connection cannot be built, and its user is not followed for it', async () => {
    await arrivals.expect([{ id: 'a', uid: 7 }]);
    prepareFault = new Error('the connection is over');
    const handle = new CountedHandle();
    arrivals.onSession(ofUser, handle);
    expect(said).toMatchObject([{ args: { id: 'a', reason: 'the connection is over' } }]);
    expect([handle.closed, transit.size, followed.size]).toEqual([1, 0, 0]);
  });
});

describe('a session that is announced', () => {
  test('and cancelled leaves nothing behind; another of its user keeps him followed', async () => {
    await arrivals.expect([
      { id: 'a', uid: 7 },
      { id: 'b', uid: 7 },
      { id: 'v', uid: null },
    ]);
    arrivals.cancel(['a', 'v', 'unheard of']);
    expect([transit.size, followed]).toEqual([1, new Set([7])]);
    arrivals.cancel(['b', 'b']);
    expect([transit.size, followed.size]).toEqual([0, 0]);
  });

  test('again, as another user’s, is that user’s only', async () => {
    await arrivals.expect([{ id: 'a', uid: 7 }]);
    await arrivals.expect([{ id: 'a', uid: 8 }]);
    expect([transit.size, followed]).toEqual([1, new Set([8])]);
  });

  test('is not expected when its user cannot be followed, and neither are those beside it', async () => {
    followFault = new SpushError('RPC_PEER_GONE', 'Redis is not reached');
    const sessions = [
      { id: 'a', uid: 7 },
      { id: 'v', uid: null },
    ];
    await expect(arrivals.expect(sessions)).rejects.toMatchObject({ message: 'Redis is not reached' });
    expect([transit.size, followed.size]).toEqual([0, 0]);
  });
});
