/** One living process: who it is, how far it is, and the line to it. A child that is started again is a new one. */
import type { HandHandlers, NoteHandlers } from '../../platform/rpc/peer.js';
import { type CallHandlers, Peer } from '../../platform/rpc/peer.js';
import type { Moment } from '../../shared/base/clock.js';
import type { SpawnedRole } from '../../shared/domain/role.js';
import type { ToChild, ToMaster } from '../../shared/protocol/ipc.js';
import type { ChildEnd, SpawnedProcess } from './child-process.js';

export interface ChildIdentity {
  readonly role: SpawnedRole;
  readonly index: number;
  /** The title. */
  readonly name: string;
  readonly generator: number;
  /** Unix ms. */
  readonly startedAt: number;
}

/** Why a child could not start, in its own words. */
export interface ChildFailure {
  readonly code: string;
  readonly message: string;
}

/** What children ask of the node; what concerns their own life is not part of it. */
export interface RelayHandlers {
  readonly calls: CallHandlers<ToMaster>;
  readonly notes: Omit<NoteHandlers<ToMaster>, keyof LifeNotes>;
  readonly hands: HandHandlers<ToMaster>;
}

/** What children tell about themselves. */
export type LifeNotes = Pick<NoteHandlers<ToMaster>, 'hello' | 'ready' | 'failed' | 'waiting' | 'lastStats'>;

export interface ChildHandlers {
  readonly life: LifeNotes;
  readonly relays: RelayHandlers;
  /** A note of this child made its handler throw. */
  onFault(error: unknown): void;
}

export class Child {
  readonly role: SpawnedRole;
  readonly index: number;
  readonly name: string;
  readonly generator: number;
  readonly startedAt: number;
  readonly pid: number | null;
  readonly peer: Peer<ToMaster, ToChild>;
  readonly ended: Promise<ChildEnd>;
  /** It has said hello, and hears what is said to it. */
  hears = false;
  /** Null as long as it is starting. */
  readySince: Moment | null = null;
  failure: ChildFailure | null = null;
  /** Of the program that it runs, as it says when it is ready; null before, and of one that does not say it. */
  version: string | null = null;
  /** Digest of the own jobs and tasks that it runs, as it says when it is ready; null where it runs none. */
  hooks: string | null = null;
  /** It was asked to stop: no new work for it. */
  stopping = false;
  readonly #process: SpawnedProcess;

  constructor(identity: ChildIdentity, process: SpawnedProcess, handlersOf: (child: Child) => ChildHandlers) {
    this.role = identity.role;
    this.index = identity.index;
    this.name = identity.name;
    this.generator = identity.generator;
    this.startedAt = identity.startedAt;
    this.pid = process.pid;
    this.#process = process;
    const { life, relays, onFault } = handlersOf(this);
    this.peer = new Peer(process.channel, identity.name, {
      calls: relays.calls,
      notes: { ...relays.notes, ...life },
      hands: relays.hands,
    });
    process.onMessage((message, handle) => {
      try {
        this.peer.receive(message, handle);
      } catch (error) {
        // A child that talks nonsense is a bug, but not one the whole node may fall by.
        onFault(error);
      }
    });
    this.ended = new Promise((resolve) => {
      process.onEnd((end) => {
        this.peer.gone(endText(end));
        resolve(end);
      });
    });
  }

  /** It can be asked for something. */
  get isReady(): boolean {
    return this.readySince !== null && !this.stopping;
  }

  get holdsSockets(): boolean {
    return this.role === 'worker' && this.readySince !== null;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }
}

export function endText({ exitCode, signal, spawnError }: ChildEnd): string {
  if (spawnError) return `it could not be started: ${spawnError.message}`;
  return signal === null ? `it exited with code ${exitCode}` : `it was ended by ${signal}`;
}
