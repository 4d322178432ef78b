/** Children without processes: the test is the child on the other end of each channel. */
import type { ChildEnd, SpawnedProcess, SpawnProcess } from '../../src/master/supervisor/child-process.js';
import { IpcChannel } from '../../src/platform/rpc/ipc-channel.js';
import { type CallHandlers, Peer, type SentHandle } from '../../src/platform/rpc/peer.js';
import type { SpawnedRole } from '../../src/shared/domain/role.js';
import type { TravellingSession } from '../../src/shared/protocol/handoff.js';
import type { ToChild, ToMaster } from '../../src/shared/protocol/ipc.js';

/** A word of the hand-over that came to a child: `adopted s1`, `returned s1 s2`, `session s1`. */
export type HandoffWord = string;

export class FakeChild {
  readonly role: SpawnedRole;
  readonly title: string;
  readonly pid: number;
  readonly signals: NodeJS.Signals[] = [];
  readonly inits: ToChild['notes']['init'][] = [];
  readonly scarce: boolean[] = [];
  readonly configs: unknown[] = [];
  /** What it was told and given of a hand-over, in order. */
  readonly handoff: HandoffWord[] = [];
  /** What it does with a session; by default nothing. */
  onSession: (session: TravellingSession, handle: SentHandle) => void = () => {};
  /** How it answers; to be replaced by the test. */
  calls: Partial<CallHandlers<ToChild>> = {};
  /** What a signal does; by default it ends the process. */
  onSignal: (signal: NodeJS.Signals) => void = (signal) => this.end(null, signal);
  readonly peer: Peer<ToChild, ToMaster>;
  readonly spawned: SpawnedProcess;
  #onEnd: (end: ChildEnd) => void = () => {};
  #toMaster: (message: unknown, handle?: SentHandle) => void = () => {};
  #connected = true;
  /** Set while it is suspended: what waits in its channel. */
  #waiting: (() => void)[] | null = null;

  constructor(role: SpawnedRole, title: string, pid: number) {
    this.role = role;
    this.title = title;
    this.pid = pid;
    const call = async (name: keyof ToChild['calls'], args: unknown): Promise<never> => {
      const handler = this.calls[name] as ((args: unknown) => unknown) | undefined;
      if (!handler) return new Promise(() => {});
      return (await handler(args)) as never;
    };
    this.peer = new Peer(
      {
        send: (message, _flushed, handle) => {
          if (this.#connected) this.#toMaster(structuredClone(message), handle);
          return this.#connected;
        },
      },
      'the master',
      {
        calls: {
          stop: (args) => call('stop', args),
          stats: (args) => call('stats', args),
          troubles: (args) => call('troubles', args),
          answer: (args) => call('answer', args),
          'task.run': (args) => call('task.run', args),
          'crontab.run': (args) => call('crontab.run', args),
          'crontab.show': (args) => call('crontab.show', args),
          'crontab.change': (args) => call('crontab.change', args),
          'nodes.figures': (args) => call('nodes.figures', args),
          'user.show': (args) => call('user.show', args),
          'message.show': (args) => call('message.show', args),
          pendingCount: (args) => call('pendingCount', args),
          'handoff.leave': (args) => call('handoff.leave', args),
          'handoff.stay': (args) => call('handoff.stay', args),
          'handoff.expect': (args) => call('handoff.expect', args),
          'conn.barrier': (args) => call('conn.barrier', args),
        },
        notes: {
          init: (init) => this.inits.push(init),
          bus: () => {},
          'bus.gap': () => {},
          'permits.scarce': ({ scarce }) => this.scarce.push(scarce),
          'log.reopen': () => {},
          'tls.reload': () => {},
          config: ({ config }) => this.configs.push(config),
          'handoff.adopted': ({ id }) => this.handoff.push(`adopted ${id}`),
          'handoff.returned': ({ ids }) => this.handoff.push(`returned ${ids.join(' ')}`),
          'handoff.cancel': ({ ids }) => this.handoff.push(`cancel ${ids.join(' ')}`),
          'handoff.abort': () => this.handoff.push('abort'),
        },
        hands: {
          'handoff.session': (session, handle) => {
            this.handoff.push(`session ${session.id}`);
            this.onSession(session, handle);
          },
          conn: (_given, handle) => handle.close(),
        },
      },
    );
    const fake = this;
    this.spawned = {
      pid,
      channel: new IpcChannel({
        get connected() {
          return fake.#connected;
        },
        send: (message, handle, _options, callback) => {
          const arrive = (): void => {
            this.peer.receive(structuredClone(message), handle);
            setImmediate(callback, null);
          };
          if (this.#waiting) this.#waiting.push(arrive);
          else arrive();
          return true;
        },
      }),
      onMessage: (listener) => {
        this.#toMaster = listener;
      },
      onEnd: (listener) => {
        this.#onEnd = listener;
      },
      kill: (signal) => {
        this.signals.push(signal);
        this.onSignal(signal);
      },
    };
  }

  /**
   * Says hello and that it is ready.
   *
   * @param hooks digest of the own jobs and tasks that it has loaded
   */
  becomeReady(hooks?: string): void {
    this.peer.note('hello', {});
    this.peer.note('ready', hooks === undefined ? {} : { hooks });
  }

  /** Nothing reaches it any more, and nothing is called back: as after SIGSTOP. */
  suspend(): void {
    this.#waiting ??= [];
  }

  resume(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const arrive of waiting) arrive();
  }

  /** Says hello and why it cannot start, and ends. */
  failToStart(code: string, message: string): void {
    this.peer.note('hello', {});
    this.peer.note('failed', { code, message });
    this.end(1);
  }

  end(exitCode: number | null, signal: NodeJS.Signals | null = null): void {
    if (!this.#connected) return;
    this.#connected = false;
    this.#onEnd({ exitCode, signal, spawnError: null });
  }
}

export class FakeSpawner {
  readonly children: FakeChild[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly spawn: SpawnProcess = (role, title) => {
    const child = new FakeChild(role, title, 1000 + this.children.length);
    this.children.push(child);
    for (const look of this.#waiting.splice(0)) look();
    return child.spawned;
  };

  /** Resolves with a child of this name, as soon as there is one. */
  async first(title: string): Promise<FakeChild> {
    while (!this.children.some((child) => child.title === title)) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.last(title);
  }

  /** Resolves with the next child of this name after `before`. */
  async after(before: FakeChild): Promise<FakeChild> {
    while (this.last(before.title) === before) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.last(before.title);
  }

  /** The youngest of this name. */
  last(title: string): FakeChild {
    const child = this.children.findLast((each) => each.title === title);
    if (!child) throw new Error(`${title} was not spawned`);
    return child;
  }
}
