/**
 * Many logged-in connections, and a stream of messages to their users, in processes of their own (handoff-client.mjs,
 * handoff-poster.mjs), while a test reloads the server. What they saw is judged by handoff-audit.ts.
 */
import path from 'node:path';
import type { ApiKey } from '../../src/platform/auth/signature.js';
import { ChildProgram } from './child-program.js';
import { SITE_KEY } from './own-site.js';
import { seededRandom } from './random.js';
import { runSite } from './run-site.js';

export type SocketKind = 'plain' | 'bytes' | 'large' | 'fragments';

export interface SocketSpec {
  readonly n: number;
  readonly uid: number;
  readonly device: string;
  readonly channel: 'web' | 'app';
  readonly kind: SocketKind;
  /** The address it comes from: one address has no more than about 28,000 ports. */
  readonly source: string;
}

/** What one connection has seen. */
export interface SocketReport extends SocketSpec {
  /** address:port of its own end */
  readonly local: string;
  readonly session: string;
  readonly pingsSent: number;
  readonly pingsAnswered: number;
  readonly outstanding: readonly number[];
  /** Pieces of frames that were never written. */
  readonly unsent: number;
  readonly unansweredAcks: number;
  readonly pongs: number;
  readonly pongsMissing: number;
  readonly frames: number;
  /** Frames that said that live copies were dropped. */
  readonly more: number;
  readonly items: readonly (readonly [string, number])[];
  readonly faults: readonly string[];
  readonly faultCount: number;
  readonly closed: {
    readonly byUs: boolean;
    readonly code: number | null;
    readonly how: string;
    readonly bye: string | null;
  } | null;
}

/** Waits of one stretch of time, ms. */
export interface Period {
  /** The longest time in which a load process's own loop stood still: pauses up to this may be its own. */
  readonly loopMs: number;
  /** Every ping's wait for its answer. */
  readonly pings: readonly number[];
  /** Of each socket the longest wait of a ping; those without any ping are missing. */
  readonly pingPauses: readonly number[];
  /** Of each socket the longest way of a push, from its first sending by the caller on. */
  readonly pushPauses: readonly number[];
}

interface ChildPeriod {
  readonly loopMs: number;
  readonly sockets: readonly {
    readonly n: number;
    readonly ping: number | null;
    readonly push: number | null;
    readonly pings: readonly number[];
  }[];
}

export interface Reply {
  readonly code: number;
  readonly msg: string;
  // biome-ignore lint/suspicious/noExplicitAny: an answer of the program under test; tests look into it as they need
  readonly body: any;
}

/** Connections of one load process: more would need more descriptors than a process may have. */
const PER_PROCESS = 10_000;
/** Connections from one source address. */
const PER_SOURCE = 15_000;
/** Sockets that send byte by byte, or large messages, are costly: a share, and never more. */
const BYTES_MAX = 30;
const LARGE_MAX = 100;
export const UID_FROM = 1_000_000;

/** Of ten users one has two devices and one has three. Kinds by chance: a tenth each, the rest plain. */
export function planSockets(count: number, seed: number, uidFrom = UID_FROM): SocketSpec[] {
  const random = seededRandom(seed);
  const specs: SocketSpec[] = [];
  const left: Record<SocketKind, number> = {
    plain: count,
    bytes: BYTES_MAX,
    large: LARGE_MAX,
    fragments: count,
  };
  for (let user = 0; specs.length < count; user += 1) {
    const devices = user % 10 === 8 ? 2 : user % 10 === 9 ? 3 : 1;
    for (let device = 0; device < devices && specs.length < count; device += 1) {
      const n = specs.length;
      const drawn = random();
      const wanted: SocketKind =
        drawn < 0.1 ? 'bytes' : drawn < 0.2 ? 'large' : drawn < 0.3 ? 'fragments' : 'plain';
      const kind = left[wanted] > 0 ? wanted : 'plain';
      left[kind] -= 1;
      specs.push({
        n,
        uid: uidFrom + user,
        device: `device-${device}`,
        channel: device % 2 === 0 ? 'web' : 'app',
        kind,
        source: `127.0.0.${1 + Math.floor(n / PER_SOURCE)}`,
      });
    }
  }
  return specs;
}

export class HandoffLoad {
  readonly specs: readonly SocketSpec[];
  readonly uids: readonly number[];
  readonly #programs: readonly ChildProgram[];

  private constructor(specs: readonly SocketSpec[], programs: readonly ChildProgram[]) {
    this.specs = specs;
    this.uids = [...new Set(specs.map(({ uid }) => uid))];
    this.#programs = programs;
  }

  /** Resolves when all are logged in. */
  static async open(port: number, specs: readonly SocketSpec[]): Promise<HandoffLoad> {
    const file = path.join(import.meta.dirname, 'handoff-client.mjs');
    const count = Math.ceil(specs.length / PER_PROCESS);
    const programs = Array.from({ length: count }, () => new ChildProgram(file));
    const load = new HandoffLoad(specs, programs);
    try {
      await load.#each((program, k) =>
        program.call('open', {
          target: { host: '127.0.0.1', port },
          specs: specs.slice(k * PER_PROCESS, (k + 1) * PER_PROCESS),
        }),
      );
    } catch (error) {
      await load.end();
      throw error;
    }
    return load;
  }

  /** @param perSecond over all connections; those that send byte by byte send without a rest beside it */
  async startPings(perSecond: number): Promise<void> {
    await this.#each((program) => program.call('startPings', { rate: perSecond / this.#programs.length }));
  }

  /** Waits until everything is answered, at most `waitMs`; what is missing then is in the report. */
  async stopPings(waitMs = 15_000): Promise<void> {
    await this.#each((program) => program.call('stopPings', { waitMs }));
  }

  /** Pings every open connection once more; answers how many have heard the answer. */
  async pingAll(waitMs = 15_000): Promise<number> {
    return sum(await this.#each((program) => program.call<number>('pingAll', { waitMs })));
  }

  /** Ends the stretch of time that is measured, and begins the next. */
  async takePeriod(): Promise<Period> {
    const parts = await this.#each((program) => program.call<ChildPeriod>('takePeriod'));
    const sockets = parts.flatMap((part) => part.sockets);
    return {
      loopMs: Math.max(...parts.map(({ loopMs }) => loopMs)),
      pings: sockets.flatMap(({ pings }) => pings),
      pingPauses: sockets.flatMap(({ ping }) => (ping === null ? [] : [ping])),
      pushPauses: sockets.flatMap(({ push }) => (push === null ? [] : [push])),
    };
  }

  ask(n: number, cmd: string, body?: object): Promise<Reply> {
    return this.#programOf(n).call<Reply>('ask', { n, cmd, body });
  }

  async itemCount(): Promise<number> {
    return sum(await this.#each((program) => program.call<number>('itemCount')));
  }

  /** Connections that were closed, and not by us. */
  async closedCount(): Promise<number> {
    return sum(await this.#each((program) => program.call<number>('closedCount')));
  }

  async report(): Promise<SocketReport[]> {
    const parts = await this.#each((program) => program.call<SocketReport[]>('report'));
    return parts.flat().sort((a, b) => a.n - b.n);
  }

  /** Lets some go, with a close frame or a reset. */
  async leave(numbers: readonly number[], how: 'close' | 'vanish'): Promise<void> {
    await this.#each((program) => {
      const here = numbers.filter((n) => this.#programOf(n) === program);
      return program.call('leave', { numbers: here, how });
    });
  }

  /** Ends the processes, and with them every connection. */
  async end(): Promise<void> {
    await this.#each((program) => program.end());
  }

  #programOf(n: number): ChildProgram {
    const program = this.#programs[Math.floor(n / PER_PROCESS)];
    if (!program) throw new Error(`there is no socket ${n}`);
    return program;
  }

  #each<T>(work: (program: ChildProgram, k: number) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#programs.map(work));
  }
}

/** A message that was answered 200. */
export interface Accepted {
  readonly id: string;
  readonly uid: number;
  readonly title: string;
}

export interface Posted {
  readonly accepted: readonly Accepted[];
  /** Calls that were sent again. */
  readonly retries: number;
  /** Calls that were given up, and why. */
  readonly failures: readonly string[];
  readonly sent: number;
  /** Ticks in which too many calls were under way to send more. */
  readonly behind: number;
}

export class HandoffPoster {
  readonly #program = new ChildProgram(path.join(import.meta.dirname, 'handoff-poster.mjs'));
  readonly #port: number;
  readonly #key: ApiKey | null;

  /** @param key signs the calls; in a run of PUSHENV 1 the site's */
  constructor(port: number, key: ApiKey | null = runSite() ? SITE_KEY : null) {
    this.#port = port;
    this.#key = key;
  }

  /** @param name makes the callers' ids differ from those of other posters */
  async start(uids: readonly number[], perSecond: number, name: string): Promise<void> {
    const target = { host: '127.0.0.1', port: this.#port, key: this.#key };
    await this.#program.call('start', { target, uids, rate: perSecond, name });
  }

  /** Resolves when every call is answered or given up. */
  async stop(): Promise<Posted> {
    const result = await this.#program.call<
      Omit<Posted, 'accepted'> & { accepted: [string, number, string][] }
    >('stop');
    return { ...result, accepted: result.accepted.map(([id, uid, title]) => ({ id, uid, title })) };
  }

  end(): Promise<void> {
    return this.#program.end();
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
