/**
 * A process's share of a limit that holds for the whole node, such as MaxLinkNumber. The master leases permits to every
 * Worker; this is the Worker's side (the master's is `master/permits/permit-ledger.ts`).
 *
 * A connection acquires a permit when it comes and releases it when it goes. A few idle permits are kept so that most
 * connections are decided at once and few messages flow; what is missing is asked for, with one question under way for
 * everybody who waits. When permits are scarce on the node nothing is kept: idle ones and freed ones go back.
 *
 * Promises: never more in use than were granted; first come, first served; nobody waits longer than `PATIENCE_MS`.
 */
import { assert } from '../../shared/base/assert.js';
import { errorText } from '../../shared/base/errors.js';
import type { PermitPool as PoolName, ToChild, ToMaster } from '../../shared/protocol/ipc.js';
import type { Log } from '../log/log.js';
import type { Peer } from '../rpc/peer.js';

/** Asked for beyond what is needed now, and kept when more come back. */
export const PERMIT_BLOCK = 32;
/** Idle permits kept while there are plenty. */
export const PERMITS_IDLE_MAX = 64;
/** A master that does not answer for so long gives no permits: those who wait are refused. */
export const PATIENCE_MS = 3000;
/** Connections that may wait for a permit at once; more are refused. */
export const WAITERS_MAX = 20_000;
/**
 * A grant is never given up for lost, because the master has booked it: the question stays open as long as the channel
 * does. (Timers take no more than 24 days.)
 */
const WANT_DEADLINE_MS = 24 * 3_600_000;

export interface PermitSource {
  /** Asks for `n` permits; answers how many were granted, 0 when there are none. */
  want(n: number): Promise<number>;
  giveBack(n: number): void;
}

export function masterPermits(
  peer: Pick<Peer<ToChild, ToMaster>, 'call' | 'note'>,
  pool: PoolName,
): PermitSource {
  return {
    async want(n) {
      const { granted } = await peer.call('permits.want', { pool, n }, { deadlineMs: WANT_DEADLINE_MS });
      return granted;
    },
    giveBack: (n) => peer.note('permits.return', { pool, n }),
  };
}

interface Waiter {
  /** Rises with every waiter: tells whether the question under way was asked for this one too. */
  readonly turn: number;
  readonly resolve: (granted: boolean) => void;
}

export class PermitPool {
  readonly #source: PermitSource;
  readonly #log: Log;
  #inUse = 0;
  #idle = 0;
  #scarce = false;
  #waiters: Waiter[] = [];
  #lastTurn = 0;
  #asking = false;
  /** The question under way has been open for longer than `PATIENCE_MS`. */
  #late = false;
  #freed = 0;
  #returning: NodeJS.Immediate | null = null;

  constructor(source: PermitSource, log: Log) {
    this.#source = source;
    this.#log = log;
  }

  /** Permits that connections hold. */
  get inUse(): number {
    return this.#inUse;
  }

  /** Permits kept for the next connections. */
  get idle(): number {
    return this.#idle;
  }

  /** Takes a permit when one is at hand. */
  tryAcquire(): boolean {
    if (this.#idle === 0) return false;
    this.#idle -= 1;
    this.#inUse += 1;
    return true;
  }

  /** Answers whether a permit was got; false when the node is full. */
  acquire(): Promise<boolean> {
    if (this.tryAcquire()) return Promise.resolve(true);
    if (this.#late || this.#waiters.length >= WAITERS_MAX) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#lastTurn += 1;
      this.#waiters.push({ turn: this.#lastTurn, resolve });
      this.#ask();
    });
  }

  /** For every permit that was acquired, once. */
  release(): void {
    assert(this.#inUse > 0, 'a permit is released that was not acquired');
    this.#inUse -= 1;
    // Not to whoever waits here: a Worker with many comings and goings would keep its permits from all the others.
    if (this.#scarce) this.#giveBack(1);
    else this.#keep(1);
  }

  /** A connection came from another Worker with its permit; the master has booked it here. */
  arrived(): void {
    this.#inUse += 1;
  }

  /** A connection is another Worker's, and so is its permit: the master has booked it there. */
  departed(): void {
    assert(this.#inUse > 0, 'a permit departs that was not acquired');
    this.#inUse -= 1;
  }

  /** The master's `permits.scarce` note. */
  onScarce(scarce: boolean): void {
    this.#scarce = scarce;
    this.#trim();
  }

  #ask(): void {
    if (this.#asking || this.#waiters.length === 0) return;
    this.#asking = true;
    const askedFor = this.#lastTurn;
    const n = this.#waiters.length + (this.#scarce ? 0 : PERMIT_BLOCK);
    const patience = setTimeout(() => {
      this.#late = true;
      this.#log.warn('permits.noAnswer', { afterMs: PATIENCE_MS, refused: this.#waiters.length });
      this.#refuse(this.#lastTurn);
    }, PATIENCE_MS);
    const answered = (granted: number): void => {
      clearTimeout(patience);
      this.#asking = false;
      this.#late = false;
      this.#keep(granted);
      this.#refuse(askedFor);
      this.#ask();
    };
    this.#source.want(n).then(answered, (error: unknown) => {
      this.#log.error('permits.fault', { error: errorText(error) });
      answered(0);
    });
  }

  /** Permits that have come: first to those who wait, the rest is kept or goes back. */
  #keep(n: number): void {
    this.#idle += n;
    const served = this.#waiters.splice(0, this.#idle);
    this.#idle -= served.length;
    this.#inUse += served.length;
    for (const { resolve } of served) resolve(true);
    this.#trim();
  }

  #refuse(upToTurn: number): void {
    const later = this.#waiters.findIndex(({ turn }) => turn > upToTurn);
    const refused = later === -1 ? this.#waiters.splice(0) : this.#waiters.splice(0, later);
    for (const { resolve } of refused) resolve(false);
  }

  #trim(): void {
    const keep = this.#scarce ? 0 : this.#idle > PERMITS_IDLE_MAX ? PERMIT_BLOCK : this.#idle;
    if (this.#idle <= keep) return;
    this.#giveBack(this.#idle - keep);
    this.#idle = keep;
  }

  /** Those that come back in one turn of the loop travel together. */
  #giveBack(n: number): void {
    this.#freed += n;
    this.#returning ??= setImmediate(() => {
      this.#returning = null;
      const freed = this.#freed;
      this.#freed = 0;
      this.#source.giveBack(freed);
    });
  }
}
