/**
 * Sessions between two Workers, by id:
 *
 *     announced  the target knows that it will come; the leaver has it
 *     handed     it was given to the target, which has not said yet whether it takes it
 *
 * A handed session may be the target's already: it goes back to the leaver by the target's word, by its answer to a later
 * question, or by its end, and by nothing else.
 */
import type { MovingWorker } from './moving-worker.js';

export interface Traveller {
  readonly id: string;
  readonly leaver: MovingWorker;
  readonly target: MovingWorker;
  readonly handed: boolean;
  readonly holdsVisitorPlace: boolean;
}

export class Travellers {
  readonly #byId = new Map<string, Traveller>();
  readonly #handedFrom = new Map<MovingWorker, number>();
  readonly #handedTo = new Map<MovingWorker, number>();

  announce(id: string, leaver: MovingWorker, target: MovingWorker): void {
    this.#byId.set(id, { id, leaver, target, handed: false, holdsVisitorPlace: false });
  }

  hand(traveller: Traveller, holdsVisitorPlace: boolean): void {
    this.#byId.set(traveller.id, { ...traveller, handed: true, holdsVisitorPlace });
    this.#count(traveller, 1);
  }

  get(id: string): Traveller | undefined {
    return this.#byId.get(id);
  }

  forget(traveller: Traveller): void {
    if (!this.#byId.delete(traveller.id)) return;
    if (traveller.handed) this.#count(traveller, -1);
  }

  /** A list of its own: what is found may be forgotten on the way. */
  find(fits: (traveller: Traveller) => boolean): Traveller[] {
    return [...this.#byId.values()].filter(fits);
  }

  handedFrom(leaver: MovingWorker): number {
    return this.#handedFrom.get(leaver) ?? 0;
  }

  handedTo(target: MovingWorker): number {
    return this.#handedTo.get(target) ?? 0;
  }

  #count({ leaver, target }: Traveller, change: number): void {
    add(this.#handedFrom, leaver, change);
    add(this.#handedTo, target, change);
  }
}

function add(counts: Map<MovingWorker, number>, worker: MovingWorker, change: number): void {
  const count = (counts.get(worker) ?? 0) + change;
  if (count > 0) counts.set(worker, count);
  else counts.delete(worker);
}
