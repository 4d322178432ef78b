/**
 * What every child of the master has in common: its start, its end, and what it does about signals.
 *
 *     export function runWorker(): Promise<number> {
 *       return runChild('worker', {
 *         parseConfig: (plain) => fromPlainConfig(plain, { loadFunctions: true }),
 *         async start({ config, generator, log, name, peer }) {
 *           // open everything; throw a SpushError when that fails: the person who typed the command reads its text
 *           return {
 *             handlers: { calls: { stats, answer, pendingCount }, notes: { bus, 'bus.gap': … } },
 *             async stop({ reason, deadlineMs, waiting }) {
 *               // stop taking new work, finish the old, close; `waiting('2 commits')` is told to whoever stops us
 *             },
 *           };
 *         },
 *       });
 *     }
 *
 * Promises: `start` runs once, after `init`; what the master says meanwhile waits, in order, until `start` has resolved.
 * `stop` runs at most once, whatever asks for it: the master's `stop`, SIGTERM, or the end of the master; when it is not
 * done in time the process ends all the same. SIGINT and SIGHUP are the terminal's, which sends them to every process:
 * the master acts on them, a child does not. Live keys of the configuration may change while the process runs: `current()`
 * answers the newest one, `config` stays what the process was started with. A fault that nobody caught is logged with its stack and ends the process.
 *
 * The promise resolves with the exit code when all is done and said; the caller then exits, without waiting for handles.
 */
import { AssertionError } from '../../shared/base/assert.js';
import { errorText, isSpushError } from '../../shared/base/errors.js';
import { childTitle, type SpawnedRole } from '../../shared/domain/role.js';
import type { RoleMessages, ToChild } from '../../shared/protocol/ipc.js';
import { systemClock } from '../clock/system-clock.js';
import type { Config } from '../config/config-schema.js';
import { Troubles } from '../health/troubles.js';
import { type Log, type LogOptions, type OpenLog, openLog } from '../log/log.js';
import { packageVersion } from '../program/package-version.js';
import { programVersion } from '../program/program-version.js';
import { exitOnFault } from './exit-on-fault.js';
import {
  type ChildProcessSide,
  connectToMaster,
  type MasterLink,
  type MasterLinkHandlers,
  type MasterPeer,
} from './master-link.js';
import { outliveMaster } from './outlive-master.js';
import type { CallHandlers, HandHandlers, NoteHandlers } from './peer.js';

/** With the master gone there is nobody who waits: this much is given to commits and close frames. */
const ORPHAN_STOP_MS = 5000;
/** For the last words on the channel. */
const LAST_WORDS_MS = 1000;
/** Notes that may wait for the end of `start`; the master says little to a child that is not ready. */
const EARLY_NOTES_MAX = 10_000;

export interface ChildContext {
  readonly index: number;
  /** For message ids: no other living process of this node has it. */
  readonly generator: number;
  /** bootstrap.ts has own jobs or tasks. */
  readonly hasHooks: boolean;
  /** The node is being started: what is not there yet may be made. Later, what has vanished must not be. */
  readonly firstStart: boolean;
  /** What is random of this start of the node, the same for all its processes. */
  readonly nodeRun: string;
  /** The process's title, which is its name everywhere. */
  readonly name: string;
  /** What the process was started with: for keys that take effect with a start. */
  readonly config: Config;
  /** The configuration of now, for live keys. */
  readonly current: () => Config;
  readonly log: Log;
  /** For what is wrong and does not stop delivery. */
  readonly troubles: Troubles;
  readonly peer: MasterPeer;
}

export interface StopOptions {
  readonly reason: string;
  readonly deadlineMs: number;
  /** Whether the whole server ends, or another process takes this one's place. */
  readonly closing: 'server' | 'process';
  /** Says what the stop waits for, in words for people: `3 tasks`. */
  waiting(what: string): void;
}

/** Handlers of exactly what this role is asked; a missing one does not compile. */
export interface RoleHandlers<R extends SpawnedRole> {
  readonly calls: Pick<CallHandlers<ToChild>, RoleMessages[R]['calls']>;
  readonly notes: Pick<NoteHandlers<ToChild>, RoleMessages[R]['notes']>;
  readonly hands: Pick<HandHandlers<ToChild>, RoleMessages[R]['hands']>;
}

export interface StartedChild<R extends SpawnedRole> {
  readonly handlers: RoleHandlers<R>;
  /** Digest of the own jobs and tasks that were loaded, in the roles that load them. */
  readonly hooks?: string;
  /** Live keys have changed; for what does not ask `current()` by itself. */
  onConfig?(config: Config): void;
  stop(options: StopOptions): Promise<void>;
}

export interface ChildProgram<R extends SpawnedRole> {
  /** From the plain form that travels to the checked configuration, with the functions this role calls. */
  parseConfig(plain: unknown): Promise<Config>;
  start(context: ChildContext): Promise<StartedChild<R>>;
}

export function runChild<R extends SpawnedRole>(role: R, program: ChildProgram<R>): Promise<number> {
  const runtime = new ChildRuntime(role, program, {
    side: process,
    openLog,
    version: programVersion(packageVersion()),
  });
  exitOnFault(() => runtime.log);
  outliveMaster((error) => runtime.log.warn('channel.error', { error: errorText(error) }));
  return runtime.run();
}

/** What of its own process the runtime uses. */
export interface ChildSide extends ChildProcessSide {
  title: string;
  on(signal: 'SIGINT' | 'SIGHUP' | 'SIGTERM' | 'SIGUSR1' | 'SIGUSR2', listener: () => void): unknown;
  on(event: 'message', listener: (message: unknown, handle?: unknown) => void): unknown;
  on(event: 'disconnect', listener: () => void): unknown;
}

/** A log whose level can follow the configuration. */
type RuntimeLog = Log & Partial<Pick<OpenLog, 'setLevel' | 'reopen'>>;
type StopOrder = Omit<StopOptions, 'waiting'>;

interface RuntimeParts {
  readonly side: ChildSide;
  readonly openLog: (options: LogOptions) => RuntimeLog;
  /** Of the program that this process has loaded. */
  readonly version: string;
}

type Handlers = {
  readonly calls: Partial<CallHandlers<ToChild>>;
  readonly notes: Partial<NoteHandlers<ToChild>>;
  readonly hands: Partial<HandHandlers<ToChild>>;
};

export class ChildRuntime<R extends SpawnedRole> {
  readonly #role: R;
  readonly #program: ChildProgram<R>;
  readonly #parts: RuntimeParts;
  readonly #link: MasterLink;
  readonly #troubles = new Troubles(systemClock);
  #log: RuntimeLog;
  #config: Config | null = null;
  /** Configurations are taken over one after the other, the first one first. */
  #configs: Promise<void>;
  #started: StartedChild<R> | null = null;
  #handlers: Handlers | null = null;
  #whenStarted: ((handlers: Handlers) => void)[] = [];
  #ending: Promise<number> | null = null;
  #configLoaded: () => void = () => {};
  #exit: (exitCode: number) => void = () => {};

  constructor(role: R, program: ChildProgram<R>, parts: RuntimeParts) {
    this.#role = role;
    this.#program = program;
    this.#parts = parts;
    this.#log = parts.openLog({
      process: `spush.${role}`,
      level: 'info',
      file: null,
      console: 'json',
      troubles: this.#troubles,
    });
    this.#link = connectToMaster(parts.side, this.#handlersOfMaster());
    this.#configs = new Promise((resolve) => {
      this.#configLoaded = resolve;
    });
  }

  get log(): Log {
    return this.#log;
  }

  run(): Promise<number> {
    const { side } = this.#parts;
    return new Promise((resolve) => {
      this.#exit = resolve;
      side.on('SIGINT', () => {});
      side.on('SIGHUP', () => {});
      // Without a listener the first would open the inspector, the second end the process.
      side.on('SIGUSR1', () => this.#log.reopen?.());
      side.on('SIGUSR2', () => this.#log.reopen?.());
      side.on('SIGTERM', () => this.#endBySelf('SIGTERM', Number.POSITIVE_INFINITY, 'process'));
      this.#start().catch((error: unknown) => this.#fail(error));
    });
  }

  async #start(): Promise<void> {
    const { config: plain, console, hasHooks = true, ...init } = await this.#link.init;
    const config = await this.#program.parseConfig(plain);
    const name = childTitle(config.mode, this.#role, init.index);
    this.#parts.side.title = name;
    const log = this.#parts.openLog({
      process: name,
      level: config.system.LogLevel,
      file: config.paths.logFile,
      console,
      troubles: this.#troubles,
    });
    this.#log = log;
    this.#troubles.tellIn(log);
    this.#config = config;
    this.#configLoaded();
    const current = (): Config => this.#config ?? config;
    const { peer } = this.#link;
    const troubles = this.#troubles;
    const context = { ...init, hasHooks, name, config, current, log, troubles, peer };
    const started = await this.#program.start(context);
    if (this.#ending) return;
    this.#started = started;
    this.#handlers = started.handlers;
    if (this.#config !== config) started.onConfig?.(this.#config);
    for (const go of this.#whenStarted.splice(0)) go(started.handlers);
    const { hooks } = started;
    this.#link.peer.note('ready', {
      version: this.#parts.version,
      ...(hooks === undefined ? {} : { hooks }),
    });
  }

  /** It could not start: the master is told why, and tells the person who waits. */
  async #fail(error: unknown): Promise<void> {
    if (this.#ending) return;
    const code = isSpushError(error) ? error.code : 'START_FAILED';
    if (!isSpushError(error)) {
      const stack = error instanceof Error ? error.stack : undefined;
      this.#log.error('start.fault', { error: errorText(error), stack });
    }
    this.#link.peer.note('failed', { code, message: errorText(error) });
    await this.#link.written(LAST_WORDS_MS);
    this.#exit(1);
  }

  /** A faulty one is the master's mistake, and no reason to end: the one before goes on. */
  async #takeConfig(plain: unknown): Promise<void> {
    try {
      const config = await this.#program.parseConfig(plain);
      this.#config = config;
      this.#log.setLevel?.(config.system.LogLevel);
      this.#started?.onConfig?.(config);
      this.#log.info('config.changed');
    } catch (error) {
      this.#log.error('config.refused', { error: errorText(error) });
    }
  }

  #endBySelf(reason: string, deadlineMsMax: number, closing: StopOptions['closing']): void {
    const configured = (this.#config?.system.StopSeconds ?? 0) * 1000;
    // Nobody told it to: the master would go on giving it connections and tasks.
    this.#link.peer.note('leaving', {});
    void this.#end({ reason, deadlineMs: Math.min(configured, deadlineMsMax), closing });
  }

  /** Resolves with the exit code when the stop is over; the process ends right after, when its answers are written. */
  #end(order: StopOrder): Promise<number> {
    if (this.#ending) return this.#ending;
    this.#log.info('process.stopping', { ...order });
    this.#ending = this.#stop(order);
    void this.#ending.then((exitCode) => setImmediate(() => void this.#leave(exitCode)));
    return this.#ending;
  }

  async #stop(order: StopOrder): Promise<number> {
    const { deadlineMs } = order;
    const started = this.#started;
    if (!started) return 0;
    const waiting = (what: string): void => {
      this.#log.info('process.waiting', { what });
      this.#link.peer.note('waiting', { what });
    };
    let deadline: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      deadline = setTimeout(resolve, deadlineMs, 'late');
    });
    try {
      const end = await Promise.race([started.stop({ ...order, waiting }), late]);
      if (end === 'late') this.#log.error('process.stopDeadline', { deadlineMs });
      return end === 'late' ? 1 : 0;
    } catch (error) {
      const stack = error instanceof Error ? error.stack : undefined;
      this.#log.error('process.stopFault', { error: errorText(error), stack });
      return 1;
    } finally {
      clearTimeout(deadline);
    }
  }

  async #leave(exitCode: number): Promise<void> {
    const stats = this.#handlers?.calls.stats;
    if (stats) this.#link.peer.note('lastStats', await stats({}));
    await this.#link.written(LAST_WORDS_MS);
    this.#log.info('process.ended', { exitCode });
    this.#exit(exitCode);
  }

  #handlersOfMaster(): MasterLinkHandlers {
    return {
      calls: {
        stop: async (order) => {
          await this.#end(order);
          return {};
        },
        stats: (args) => this.#call('stats', args),
        troubles: () => this.#troubles.report(),
        answer: (args) => this.#call('answer', args),
        'task.run': (args) => this.#call('task.run', args),
        'crontab.run': (args) => this.#call('crontab.run', args),
        'crontab.show': (args) => this.#call('crontab.show', args),
        'crontab.change': (args) => this.#call('crontab.change', args),
        'nodes.figures': (args) => this.#call('nodes.figures', args),
        'user.show': (args) => this.#call('user.show', args),
        'message.show': (args) => this.#call('message.show', args),
        pendingCount: (args) => this.#call('pendingCount', args),
        'handoff.leave': (args) => this.#call('handoff.leave', args),
        'handoff.stay': (args) => this.#call('handoff.stay', args),
        'handoff.expect': (args) => this.#call('handoff.expect', args),
        'conn.barrier': (args) => this.#call('conn.barrier', args),
      },
      notes: {
        bus: (args) => this.#note((notes) => notes.bus?.(args)),
        'bus.gap': (args) => this.#note((notes) => notes['bus.gap']?.(args)),
        'permits.scarce': (args) => this.#note((notes) => notes['permits.scarce']?.(args)),
        'tls.reload': (args) => this.#note((notes) => notes['tls.reload']?.(args)),
        'handoff.adopted': (args) => this.#note((notes) => notes['handoff.adopted']?.(args)),
        'handoff.returned': (args) => this.#note((notes) => notes['handoff.returned']?.(args)),
        'handoff.cancel': (args) => this.#note((notes) => notes['handoff.cancel']?.(args)),
        'handoff.abort': (args) => this.#note((notes) => notes['handoff.abort']?.(args)),
        'log.reopen': () => this.#log.reopen?.(),
        config: ({ config }) => {
          this.#configs = this.#configs.then(() => this.#takeConfig(config));
        },
      },
      hands: {
        // Only who has answered `handoff.expect` is handed a session; its handlers are there.
        'handoff.session': (session, handle) => {
          const adopt = this.#handlers?.hands['handoff.session'];
          if (adopt) adopt(session, handle);
          else handle.close();
        },
        // Only a Worker that is ready is given connections.
        conn: (given, handle) => {
          const take = this.#handlers?.hands.conn;
          if (take) take(given, handle);
          else handle.close();
        },
      },
      onGone: () => this.#endBySelf('the master has ended', ORPHAN_STOP_MS, 'server'),
    };
  }

  /** Begun in the same turn once the handlers are there, so that a later note is not handled before it. */
  #call<N extends keyof ToChild['calls']>(
    name: N,
    args: ToChild['calls'][N]['args'],
  ): ReturnType<CallHandlers<ToChild>[N]> | Promise<ToChild['calls'][N]['result']> {
    const begin = (handlers: Handlers): ReturnType<CallHandlers<ToChild>[N]> => {
      const handler = handlers.calls[name] as
        | ((given: typeof args) => ReturnType<CallHandlers<ToChild>[N]>)
        | undefined;
      if (!handler) throw new AssertionError(`a ${this.#role} is not asked for ${name}`);
      return handler(args);
    };
    if (this.#handlers) return begin(this.#handlers);
    return new Promise((resolve, reject) => {
      this.#whenStarted.push((handlers) => {
        try {
          resolve(begin(handlers));
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #note(give: (notes: Handlers['notes']) => void): void {
    if (this.#handlers) {
      give(this.#handlers.notes);
    } else if (this.#whenStarted.length < EARLY_NOTES_MAX) {
      this.#whenStarted.push((handlers) => give(handlers.notes));
    } else {
      throw new AssertionError(`more than ${EARLY_NOTES_MAX} notes came before the start was over`);
    }
  }
}
