/** A mover between Workers without processes: the test is each Worker. */
import { Mover } from '../../src/master/handoff/mover.js';
import { PermitDesk } from '../../src/master/permits/permit-desk.js';
import { Child, type RelayHandlers } from '../../src/master/supervisor/child.js';
import { systemClock } from '../../src/platform/clock/system-clock.js';
import type { SentHandle } from '../../src/platform/rpc/peer.js';
import type { LeaveResult, TravellingSession } from '../../src/shared/protocol/handoff.js';
import { type Deferred, deferred, turns } from './deferred.js';
import { FakeChild } from './fake-spawn.js';
import { recordedLog } from './recorded-log.js';

/** A handle that counts how often it was closed. */
export class CountedHandle implements SentHandle {
  closed = 0;
  close(): void {
    this.closed += 1;
  }
}

export function travelling(id: string, more: Partial<TravellingSession> = {}): TravellingSession {
  return {
    id,
    address: '127.0.0.1',
    connectedAt: 0,
    login: null,
    lastTrafficAt: 0,
    lastHeardAt: 0,
    unreadable: 0,
    seen: [],
    life: { silentSince: null, probedAt: null, asked: 0, answered: 0, unconfirmed: [] },
    rate: { tokens: 1, filledAt: 0 },
    refused: 0,
    holdsVisitorPlace: true,
    replay: null,
    owed: [],
    head: '',
    leftAt: 0,
    ...more,
  };
}

export class MovingWorkers {
  readonly log = recordedLog();
  readonly permits = new PermitDesk({ links: 100, visitors: 100 });
  readonly mover: Mover;
  readonly handles = new Map<string, CountedHandle>();
  readonly progress: { text: string; detail: unknown }[] = [];

  constructor() {
    this.mover = new Mover({ permits: this.permits, clock: systemClock, log: this.log });
  }

  /** A ready Worker: follows what it is told to expect, and leaves when `answer` is called. */
  worker(index: number): MovingWorkerSide {
    const fake = new FakeChild('worker', `spush.m.Worker.${index}`, 100 + index);
    const identity = { role: 'worker', index, name: fake.title, generator: index, startedAt: 0 } as const;
    const child = new Child(identity, fake.spawned, (self) => ({
      life: { hello() {}, ready() {}, failed() {}, waiting() {}, lastStats() {} },
      relays: relaysTo(this.mover, this.permits, self),
      onFault: (error) => {
        throw error;
      },
    }));
    void child.ended.then(() => {
      this.mover.ended(child);
      this.permits.detach(child);
    });
    this.permits.attach(child);
    const leave = deferred<LeaveResult>();
    fake.calls = {
      'handoff.expect': () => ({}),
      'handoff.stay': () => ({}),
      'handoff.leave': () => {
        fake.handoff.push('leave');
        return leave.promise;
      },
    };
    // A signal does nothing unless the test says so.
    fake.onSignal = () => {};
    return { fake, child, leave };
  }

  /** The leaver announces and hands over these. */
  async handOver({ fake }: MovingWorkerSide, ...ids: string[]): Promise<void> {
    await this.announce({ fake }, ...ids);
    this.hand({ fake }, ...ids);
    await turns();
  }

  async announce({ fake }: Pick<MovingWorkerSide, 'fake'>, ...ids: string[]): Promise<void> {
    const sessions = ids.map((id) => ({ id, uid: null }));
    await fake.peer.call('handoff.expect', { sessions }, { deadlineMs: 60_000 });
  }

  hand({ fake }: Pick<MovingWorkerSide, 'fake'>, ...ids: string[]): void {
    for (const id of ids) {
      const handle = new CountedHandle();
      this.handles.set(id, handle);
      fake.peer.hand('handoff.session', travelling(id), handle, () => {});
    }
  }

  closed(...ids: string[]): number[] {
    return ids.map((id) => this.handles.get(id)?.closed ?? -1);
  }

  readonly onProgress = (text: string, detail?: unknown): void => {
    this.progress.push({ text, detail });
  };
}

export interface MovingWorkerSide {
  readonly fake: FakeChild;
  readonly child: Child;
  readonly leave: Deferred<LeaveResult>;
}

export function adopt({ fake }: Pick<MovingWorkerSide, 'fake'>, ...ids: string[]): void {
  for (const id of ids) fake.peer.note('handoff.adopted', { id, pausedMs: 12.34 });
}

function relaysTo(mover: Mover, permits: PermitDesk, child: Child): RelayHandlers {
  return {
    calls: {
      'permits.want': (args) => permits.want(child, args),
      'nonce.claim': () => ({ fresh: true }),
      'bus.follow': () => ({}),
      'bus.probe': () => ({}),
      'node.figures': () => Promise.reject(new Error('not asked here')),
      'node.troubles': () => ({}),
      'workers.ask': () => ({ answers: [], silent: [] }),
      'task.run': () => ({ result: null }),
      'handoff.expect': (args) => mover.expect(child, args),
      'handoff.unknown': (args) => mover.unknown(child, args),
      'conn.backs': () => ({ taken: [] }),
    },
    notes: {
      bus() {},
      'bus.lost'() {},
      'bus.unfollow'() {},
      'permits.return': (args) => permits.giveBack(child, args),
      'handoff.remaining': (args) => mover.remaining(child, args),
      'handoff.adopted': (args) => mover.adopted(child, args),
      'handoff.refused': (args) => mover.refused(child, args),
      'handoff.cancel': (args) => mover.cancel(child, args),
      'conn.taken'() {},
      'conn.holds'() {},
      leaving() {},
      staying() {},
      'memory.above'() {},
    },
    hands: {
      'handoff.session': (session, handle) => mover.session(child, session, handle),
      'conn.back': (_back, handle) => handle.close(),
    },
  };
}
