/**
 * How much memory the bodies of calls may hold in this process, counted as it is held. Those who have proved who they are
 * and those who have not yet are counted apart, so that strangers keep no caller out, whatever they hold:
 *
 *     proven     the head was signed (version 2), the proof is complete, or another call from this address was proven lately
 *     unproven   everybody else; one address gets a part of it only, and a small call finds room when all of it is taken
 */
import { addressBudgetKey } from '../../platform/auth/client-address.js';
import { type Clock, type Moment, msSince } from '../../shared/base/clock.js';
import { SpushError } from '../../shared/base/errors.js';

const MIB = 1024 * 1024;

/** Bytes. */
export interface BodyLimits {
  /** Each of the two, of all calls together. */
  readonly proven: number;
  readonly unproven: number;
  /** Of one address, as long as its head does not prove who calls; half of `proven` where calls were proven lately. */
  readonly perAddress: number;
  /** Above `unproven`, for addresses that hold little: a caller whose first call of version 1 comes while strangers hold all. */
  readonly reserve: number;
}

/** 32 of the largest bodies each; 8 for one address. */
export const BODY_LIMITS: BodyLimits = {
  proven: 64 * MIB,
  unproven: 64 * MIB,
  perAddress: 16 * MIB,
  reserve: 32 * MIB,
};
/** An address that holds no more than this finds room in the reserve. */
const SMALL_BYTES = 64 * 1024;
/** Addresses from which calls were proven lately; above it the one that was proven longest ago is forgotten. */
const KNOWN_MAX = 1000;
const KNOWN_MS = 3_600_000;

/** One call's part of the budget. */
export interface BodyLease {
  /** What it holds from now on, in all. Throws TOO_MANY when there is no room, and holds what it held. */
  hold(bytes: number): void;
  /** It is known who calls. */
  prove(): void;
  /** When nothing of the body is needed any more. */
  close(): void;
}

interface Pool {
  readonly name: 'proven' | 'unproven';
  readonly max: number;
  readonly perAddress: number;
  readonly reserve: number;
  held: number;
  /** Of calls whose heads do not prove who calls, by address. */
  readonly byAddress: Map<string, number>;
}

export class BodyBudget {
  readonly #clock: Pick<Clock, 'moment'>;
  readonly #proven: Pool;
  readonly #unproven: Pool;
  /** When a call from there was proven last, the oldest first. */
  readonly #known = new Map<string, Moment>();

  constructor(clock: Pick<Clock, 'moment'>, limits: BodyLimits = BODY_LIMITS) {
    this.#clock = clock;
    const pool = (name: Pool['name'], max: number, perAddress: number, reserve: number): Pool => ({
      name,
      max,
      perAddress,
      reserve,
      held: 0,
      byAddress: new Map(),
    });
    this.#proven = pool('proven', limits.proven, limits.proven / 2, 0);
    this.#unproven = pool('unproven', limits.unproven, limits.perAddress, limits.reserve);
  }

  /** Bytes held now. */
  get held(): number {
    return this.#proven.held + this.#unproven.held;
  }

  /** A call from this address, of which nothing is known yet. */
  open(address: string): BodyLease {
    const key = addressBudgetKey(address);
    let pool = this.#isKnown(key) ? this.#proven : this.#unproven;
    let isProven = false;
    let held = 0;
    const move = (by: number): void => {
      held += by;
      pool.held += by;
      if (!isProven) addTo(pool.byAddress, key, by);
    };
    return {
      hold: (bytes) => {
        assertRoom(pool, bytes - held, isProven ? null : key);
        move(bytes - held);
      },
      prove: () => {
        if (isProven) return;
        const bytes = held;
        move(-bytes);
        pool = this.#proven;
        isProven = true;
        // It is held already: above the limit for a moment is better than refusing a caller for what strangers hold.
        move(bytes);
        this.#remember(key);
      },
      close: () => move(-held),
    };
  }

  #isKnown(key: string): boolean {
    const provenAt = this.#known.get(key);
    return provenAt !== undefined && msSince(this.#clock, provenAt) < KNOWN_MS;
  }

  #remember(key: string): void {
    this.#known.delete(key);
    this.#known.set(key, this.#clock.moment());
    if (this.#known.size <= KNOWN_MAX) return;
    const [oldest = ''] = this.#known.keys();
    this.#known.delete(oldest);
  }
}

function assertRoom(pool: Pool, more: number, key: string | null): void {
  if (more <= 0) return;
  const ofAddress = key === null ? 0 : (pool.byAddress.get(key) ?? 0);
  const max = ofAddress + more <= SMALL_BYTES ? pool.max + pool.reserve : pool.max;
  if (pool.held + more > max) throw tooMany(`the ${pool.name} calls in work hold`, pool.held, max);
  if (key !== null && ofAddress + more > pool.perAddress)
    throw tooMany('the calls in work from this address hold', ofAddress, pool.perAddress);
}

function tooMany(what: string, held: number, max: number): SpushError {
  return new SpushError('TOO_MANY', `${what} ${held} bytes of at most ${max}: repeat this one in a moment`);
}

function addTo(map: Map<string, number>, key: string, by: number): void {
  const sum = (map.get(key) ?? 0) + by;
  if (sum > 0) map.set(key, sum);
  else map.delete(key);
}
