/**
 * A bounded amount of work at a time, in turns that are fair between users: each has its next piece when everybody else who
 * waits has had one. What nobody wants any more when its turn comes is not begun.
 *
 * What waits is bounded by those who ask: a connection asks for few things at a time.
 */
import { SpushError } from '../../shared/base/errors.js';

export interface TurnLimits {
  /** Pieces of work at a time, in all and of one user. */
  readonly atOnce: number;
  readonly ofUserAtOnce: number;
  /** What all that is under way may weigh; a single piece of any weight has its turn. */
  readonly weight: number;
}

export interface Turn {
  readonly uid: number;
  readonly weight: number;
  /** False: whoever asked is gone. */
  readonly wanted: () => boolean;
  /** False: it has to wait for something else; others of the same user do not wait for it. */
  readonly ready?: () => boolean;
}

interface Waiting extends Turn {
  readonly begin: () => void;
  readonly drop: () => void;
}

interface UserTurns {
  waiting: Waiting[];
  running: number;
}

/** Users who are held back are looked at again after this, because no event says when their reason is gone. */
const LOOK_MS = 50;

export class FairTurns {
  readonly #limits: TurnLimits;
  readonly #mayBegin: (uid: number) => boolean;
  readonly #users = new Map<number, UserTurns>();
  /** Those for whom something waits, in the order of their turns. */
  #order = new Set<number>();
  /** Those among them who may not go on now: they are looked at again together, not at each turn of somebody else. */
  readonly #held = new Set<number>();
  #running = 0;
  #weight = 0;
  #timer: NodeJS.Timeout | null = null;

  /** @param mayBegin false: this user has to wait for something else besides. */
  constructor(limits: TurnLimits, mayBegin: (uid: number) => boolean = () => true) {
    this.#limits = limits;
    this.#mayBegin = mayBegin;
  }

  /** Pieces of work under way. */
  get running(): number {
    return this.#running;
  }

  async run<T>(turn: Turn, work: () => Promise<T>): Promise<T> {
    const user = this.#user(turn.uid);
    await new Promise<void>((resolve, reject) => {
      const drop = (): void => reject(new SpushError('SHUTTING_DOWN', 'the connection is closed'));
      user.waiting.push({ ...turn, begin: resolve, drop });
      this.#held.delete(turn.uid);
      this.#order.add(turn.uid);
      this.#next();
    });
    try {
      return await work();
    } finally {
      // When what it has brought is where it was to go.
      setImmediate(() => this.#end(turn, user));
    }
  }

  #end({ uid, weight }: Turn, user: UserTurns): void {
    user.running -= 1;
    this.#running -= 1;
    this.#weight -= weight;
    this.#forgetIdle(uid, user);
    this.#next();
  }

  #user(uid: number): UserTurns {
    const known = this.#users.get(uid);
    if (known) return known;
    const user = { waiting: [], running: 0 };
    this.#users.set(uid, user);
    return user;
  }

  /** Starts every turn that may start. A user who had one moves to the end; one who is held back is looked at first the next time. */
  #next(): void {
    let looks = this.#order.size;
    for (const uid of this.#order) {
      if (looks === 0 || this.#running >= this.#limits.atOnce) break;
      looks -= 1;
      const user = this.#user(uid);
      this.#dropUnwanted(user);
      if (user.waiting.length === 0) {
        this.#order.delete(uid);
        this.#forgetIdle(uid, user);
        continue;
      }
      if (user.running >= this.#limits.ofUserAtOnce) continue;
      const first = user.waiting.find(({ ready }) => ready?.() !== false);
      if (first === undefined) {
        this.#hold(uid);
        continue;
      }
      // Others wait behind it then, or what is heavy would never have its turn.
      if (this.#running > 0 && this.#weight + first.weight > this.#limits.weight) break;
      if (this.#mayBegin(uid)) this.#begin(uid, user, first);
      else this.#hold(uid);
    }
    if (this.#held.size > 0) this.#lookAgain();
  }

  #hold(uid: number): void {
    this.#order.delete(uid);
    this.#held.add(uid);
  }

  #begin(uid: number, user: UserTurns, turn: Waiting): void {
    user.waiting.splice(user.waiting.indexOf(turn), 1);
    this.#order.delete(uid);
    if (user.waiting.length > 0) this.#order.add(uid);
    user.running += 1;
    this.#running += 1;
    this.#weight += turn.weight;
    turn.begin();
  }

  #forgetIdle(uid: number, user: UserTurns): void {
    if (user.running + user.waiting.length === 0) this.#users.delete(uid);
  }

  #dropUnwanted(user: UserTurns): void {
    if (user.waiting.every(({ wanted }) => wanted())) return;
    const { waiting } = user;
    user.waiting = [];
    for (const turn of waiting) {
      if (turn.wanted()) user.waiting.push(turn);
      else turn.drop();
    }
  }

  #lookAgain(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#order = new Set([...this.#held, ...this.#order]);
      this.#held.clear();
      this.#next();
    }, LOOK_MS).unref();
  }
}
