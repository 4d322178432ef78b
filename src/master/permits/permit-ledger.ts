/**
 * Who holds how many permits of one limit of the node: a state machine without timers and messages (those are
 * `permit-desk.ts`; the Worker's side is `platform/permits/permit-pool.ts`).
 *
 *     plenty     what is asked for is granted at once; holders keep some idle permits
 *     recalling  nothing is free: holders were told that permits are scarce and hand back what is idle; who asks waits
 *     scarce     the recall is over: what is free is granted, else the answer is 0 at once; holders keep nothing
 *
 * Promises: the permits held never exceed the limit by a grant; none is lost; who asks is answered in order. A limit that
 * was lowered takes nothing back from connections: nothing is granted until enough have gone.
 */

/** While free permits are fewer than this, holders keep none; small limits use a part of the limit instead. */
const PLENTY = 2048;
const PLENTY_PART = 8;
const PLENTY_MIN = 2;

export interface PermitEffects {
  /** Every holder is to hear whether permits are scarce. */
  announce(scarce: boolean): void;
  /** `recallOver` is to be called when holders have had the time to hand back what is idle. */
  awaitRecall(): void;
}

interface Ask<H> {
  readonly holder: H;
  readonly n: number;
  readonly answer: (granted: number) => void;
}

export class PermitLedger<H> {
  readonly #effects: PermitEffects;
  readonly #held = new Map<H, number>();
  #limit: number;
  #heldInAll = 0;
  #phase: 'plenty' | 'recalling' | 'scarce' = 'plenty';
  #asks: Ask<H>[] = [];

  constructor(limit: number, effects: PermitEffects) {
    this.#limit = limit;
    this.#effects = effects;
  }

  /** Permits that nobody holds; below 0 after the limit was lowered. */
  get free(): number {
    return this.#limit - this.#heldInAll;
  }

  get limit(): number {
    return this.#limit;
  }

  get scarce(): boolean {
    return this.#phase !== 'plenty';
  }

  heldBy(holder: H): number {
    return this.#held.get(holder) ?? 0;
  }

  /** `answer` is called once: now, or when the recall is over, or when the holder has gone. */
  want(holder: H, n: number, answer: (granted: number) => void): void {
    if (this.free <= 0 && this.#phase === 'scarce') {
      answer(0);
      return;
    }
    this.#asks.push({ holder, n, answer });
    this.#settle();
    if (this.#asks.length > 0 && this.#phase === 'plenty') this.#recall();
  }

  giveBack(holder: H, n: number): void {
    this.#book(holder, -Math.min(n, this.heldBy(holder)));
    this.#settle();
  }

  /**
   * Books one permit from one holder to the other. It is for a connection that is there: so also above the limit, when the
   * one that had it is gone and its permit was granted to somebody meanwhile.
   */
  move(from: H, to: H): void {
    this.#book(from, -Math.min(1, this.heldBy(from)));
    this.#book(to, 1);
    this.#settle();
    if (this.free <= 0 && this.#phase === 'plenty') this.#recall();
  }

  /** The holder has ended: what it held is free, what it asked for is void. */
  gone(holder: H): void {
    const asks = this.#asks;
    this.#asks = asks.filter((ask) => ask.holder !== holder);
    for (const ask of asks) if (ask.holder === holder) ask.answer(0);
    this.#book(holder, -this.heldBy(holder));
    this.#settle();
  }

  setLimit(limit: number): void {
    this.#limit = limit;
    this.#settle();
    if (this.free <= 0 && this.#phase === 'plenty') this.#recall();
  }

  /** Holders have had the time to hand back what was idle: who still waits gets nothing. */
  recallOver(): void {
    if (this.#phase !== 'recalling') return;
    this.#phase = 'scarce';
    for (const { answer } of this.#asks.splice(0)) answer(0);
  }

  #recall(): void {
    this.#phase = 'recalling';
    this.#effects.announce(true);
    this.#effects.awaitRecall();
  }

  #settle(): void {
    while (this.free > 0) {
      const ask = this.#asks.shift();
      if (!ask) break;
      const granted = Math.min(ask.n, this.free);
      this.#book(ask.holder, granted);
      ask.answer(granted);
    }
    if (this.#phase !== 'plenty' && this.#asks.length === 0 && this.free >= this.#plenty()) {
      this.#phase = 'plenty';
      this.#effects.announce(false);
    }
  }

  #plenty(): number {
    return Math.max(PLENTY_MIN, Math.min(PLENTY, Math.ceil(this.#limit / PLENTY_PART)));
  }

  #book(holder: H, change: number): void {
    const held = this.heldBy(holder) + change;
    this.#heldInAll += change;
    if (held > 0) this.#held.set(holder, held);
    else this.#held.delete(holder);
  }
}
