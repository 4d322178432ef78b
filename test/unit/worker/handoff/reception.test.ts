import { beforeEach, expect, test, vi } from 'vitest';
import type { BusEvent } from '../../../../src/shared/protocol/bus-events.js';
import type { TravellingReplay } from '../../../../src/shared/protocol/handoff.js';
import type { Gap } from '../../../../src/worker/delivery/gap.js';
import { type Arrived, Reception } from '../../../../src/worker/handoff/reception.js';
import type { Kept } from '../../../../src/worker/handoff/transit-box.js';
import type { LiveSession } from '../../../../src/worker/sessions/live-session.js';
import { fakeSession } from '../../../support/fake-connection.js';
import { idOf, itemFor, loginOf } from '../../../support/messages.js';
import { travelling } from '../../../support/moving-workers.js';

const steps: string[] = [];

vi.mock('../../../../src/worker/handoff/socket-surgery.js', () => ({
  startReading: () => steps.push('is read'),
}));

const NOTHING: Kept = { events: [], gap: null, kicked: null };
const push: BusEvent = { t: 'push', uid: 7, items: [itemFor(7, 2)] };
const GAP = { since: 5 };
const wentOn: [TravellingReplay | null, Gap | null][] = [];

let session: ReturnType<typeof fakeSession>;
let reception: Reception;

beforeEach(() => {
  steps.length = 0;
  wentOn.length = 0;
  session = fakeSession();
  reception = new Reception({
    gateway: {
      arrive: () => {
        throw new Error('not asked for here');
      },
      serve: () => steps.push('its end is noticed'),
      endIfClosing: () => steps.push('ends if all do'),
    },
    desk: {
      arrived(arrived: LiveSession, login) {
        arrived.data.login = login;
        steps.push('is registered');
      },
    },
    delivery: { onEventFor: (_session, event) => steps.push(`gets ${event.t}`) },
    replays: {
      goOn(_session, replay, gap) {
        wentOn.push([replay, gap]);
        steps.push('live messages wait');
        return () => steps.push('replay goes on');
      },
    },
  });
});

function serve(more: Parameters<typeof travelling>[1], kept: Kept): void {
  const attached = { session, connection: session.connection, ws: {}, socket: {} } as unknown as Arrived;
  reception.serve(attached, travelling('a', more), kept);
}

test('one that arrives is registered, gets what came on the way, goes on with its replay, and then is read', () => {
  const replay = { after: null, held: [itemFor(7, 1)], missedAbove: idOf(3), settledSince: null };
  serve({ login: loginOf(7), owed: [itemFor(null, 1)], replay }, { ...NOTHING, events: [push] });
  expect(steps).toEqual([
    'its end is noticed',
    'is registered',
    'live messages wait',
    'gets notice',
    'gets push',
    'replay goes on',
    'ends if all do',
    'is read',
  ]);
  expect(wentOn).toEqual([[replay, null]]);
});

test('reads the store again when news was lost on the way; what waited still waits', () => {
  const { id: after } = itemFor(7, 1);
  const replay = { after, held: [itemFor(7, 2)], missedAbove: idOf(3), settledSince: null };
  serve({ login: loginOf(7), replay }, { ...NOTHING, gap: GAP });
  serve({ login: loginOf(7) }, { ...NOTHING, gap: GAP });
  expect(wentOn).toEqual([
    [replay, GAP],
    [null, GAP],
  ]);
});

test('a visitor has nothing to read from the store', () => {
  serve({}, { ...NOTHING, gap: GAP });
  expect(wentOn).toEqual([]);
});

test('one whose user was sent away while this node was cut off may come back', () => {
  serve({ login: loginOf(7) }, { ...NOTHING, kicked: { uid: 7, reason: 'late', late: true } });
  expect(session.connection.ended).toMatchObject({ code: 1013, reason: 'late', retryAfter: 1 });
});

test('one whose user was sent away meanwhile is closed with that reason', () => {
  serve({ login: loginOf(7) }, { ...NOTHING, kicked: { uid: 7, reason: 'by the site' } });
  expect(session.connection.ended).toMatchObject({ reason: 'by the site', retryAfter: null });
  // The answer to the close frame is read.
  expect(steps.at(-1)).toBe('is read');
});
