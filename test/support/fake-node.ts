/** A supervisor whose children have no processes, with what is needed to replace them. */
import { Mover } from '../../src/master/handoff/mover.js';
import type { Child, RelayHandlers } from '../../src/master/supervisor/child.js';
import { Generators } from '../../src/master/supervisor/generators.js';
import { OneAtATime } from '../../src/master/supervisor/one-at-a-time.js';
import { Replacer } from '../../src/master/supervisor/replace.js';
import type { Slot } from '../../src/master/supervisor/slot.js';
import { Supervisor } from '../../src/master/supervisor/supervisor.js';
import { WorkerCount } from '../../src/master/supervisor/worker-count.js';
import { systemClock } from '../../src/platform/clock/system-clock.js';
import type { Hooks } from '../../src/platform/config/bootstrap-hooks.js';
import { hooksDigest } from '../../src/platform/config/hook-changes.js';
import { NO_HOOKS } from '../../src/platform/config/load-hooks.js';
import type { SpawnedRole } from '../../src/shared/domain/role.js';
import { turns } from './deferred.js';
import { type FakeChild, FakeSpawner } from './fake-spawn.js';
import { recordedLog } from './recorded-log.js';

/** What children ask of a node, answered with nothing. */
export const NO_RELAYS: RelayHandlers = {
  calls: {
    'permits.want': () => ({ granted: 0 }),
    'nonce.claim': () => ({ fresh: true }),
    'bus.follow': () => ({}),
    'bus.probe': () => ({}),
    'node.figures': () => Promise.reject(new Error('not asked here')),
    'node.troubles': () => ({}),
    'workers.ask': () => ({ answers: [], silent: [] }),
    'task.run': () => ({ result: null }),
    'handoff.expect': () => ({}),
    'handoff.unknown': () => ({ ids: [] }),
    'conn.backs': () => ({ taken: [] }),
  },
  notes: {
    bus() {},
    'bus.lost'() {},
    'bus.unfollow'() {},
    'permits.return'() {},
    'handoff.remaining'() {},
    'handoff.adopted'() {},
    'handoff.refused'() {},
    'handoff.cancel'() {},
    'conn.taken'() {},
    'conn.holds'() {},
    leaving() {},
    staying() {},
    'memory.above'() {},
  },
  hands: {
    'handoff.session': (_session, handle) => handle.close(),
    'conn.back': (_back, handle) => handle.close(),
  },
};

export class FakeNode {
  readonly spawner = new FakeSpawner();
  readonly log = recordedLog();
  /** Of its own, so that a test may take one of its readings over. */
  readonly clock = { ...systemClock };
  readonly replacing = new OneAtATime();
  readonly configuring = new OneAtATime();
  readonly left: string[] = [];
  readonly supervisor: Supervisor;
  readonly replacer: Replacer;
  readonly workerCount: WorkerCount;
  readonly mover: Mover;
  /** What children are started with. */
  config: unknown = {};
  /** What a child finds in bootstrap.ts when it starts. */
  hooks: Hooks = NO_HOOKS;

  private constructor(counts: Partial<Record<SpawnedRole, number>>) {
    const { clock, log } = this;
    const deadlineMs = (): number => 1000;
    this.mover = new Mover({ permits: { move() {} }, clock, log });
    this.supervisor = new Supervisor({
      nodeRun: '0a1b2c3d',
      console: 'json',
      mode: 'm',
      counts: { worker: 2, task: 2, crontab: 1, ...counts },
      spawn: this.spawner.spawn,
      generators: new Generators(() => 0),
      clock: this.clock,
      log: this.log,
      initConfig: () => this.config,
      hasHooks: () => false,
      handlersOf: (child) => ({
        ...NO_RELAYS,
        calls: { ...NO_RELAYS.calls, 'handoff.expect': (args) => this.mover.expect(child, args) },
        notes: {
          ...NO_RELAYS.notes,
          'handoff.remaining': (args) => this.mover.remaining(child, args),
          'handoff.adopted': (args) => this.mover.adopted(child, args),
        },
        hands: {
          ...NO_RELAYS.hands,
          'handoff.session': (session, handle) => this.mover.session(child, session, handle),
        },
      }),
      onConnected() {},
      onReady() {},
      onEnded: (child) => this.mover.ended(child),
      onLastStats() {},
      onWaiting() {},
    });
    const deps = {
      supervisor: this.supervisor,
      mover: this.mover,
      onLeaving: ({ name, pid }: Child) => void this.left.push(`${name} ${pid}`),
      deadlineMs,
      log,
    };
    this.replacer = new Replacer({ ...deps, clock });
    this.workerCount = new WorkerCount(deps);
  }

  /** Every child is ready, and ends in order when it is told to stop. */
  static async start(counts: Partial<Record<SpawnedRole, number>> = {}): Promise<FakeNode> {
    const node = new FakeNode(counts);
    const started = node.supervisor.start();
    for (const child of node.spawner.children) {
      obey(child);
      node.#becomesReady(child);
    }
    await started;
    return node;
  }

  slot(name: string): Slot {
    const slot = this.supervisor.slots.find((each) => each.name === `spush.m.${name}`);
    if (!slot) throw new Error(`there is no ${name}`);
    return slot;
  }

  /** The youngest process of this name. */
  last(name: string): FakeChild {
    return this.spawner.last(`spush.m.${name}`);
  }

  /** Waits for the first process of this name, which ends in order when it is told to stop. */
  async appears(name: string): Promise<FakeChild> {
    const child = await this.spawner.first(`spush.m.${name}`);
    obey(child);
    return child;
  }

  /** Waits for the process that follows this one in its place, and lets it be ready. */
  async comesUp(before: FakeChild): Promise<FakeChild> {
    const child = await this.spawner.after(before);
    obey(child);
    this.#becomesReady(child);
    await turns();
    return child;
  }

  #becomesReady(child: FakeChild): void {
    child.becomeReady(hooksDigest(this.hooks));
  }

  readonly slots = (): readonly Slot[] => this.supervisor.slots;
  readonly childrenOf = (slot: Slot): Child[] => this.supervisor.childrenOf(slot);
}

/** Ends in order when it is told to stop; of its connections two can be handed to nobody and one is left. */
export function obey(child: FakeChild): void {
  child.calls = {
    ...child.calls,
    stop: async () => {
      setImmediate(() => child.end(0));
      return {};
    },
    'handoff.leave': async () => ({ closed: { tls: 2 }, left: 1 }),
    'handoff.expect': () => ({}),
    'handoff.stay': () => {
      child.handoff.push('stay');
      return {};
    },
  };
}
