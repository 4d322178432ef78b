/** Leases permits to the Workers: a ledger for each pool, the messages, and the time that a recall takes. */
import { PERMIT_POOLS, type PermitPool, type ToMaster } from '../../shared/protocol/ipc.js';
import { PermitLedger } from './permit-ledger.js';

/** Idle permits of other Workers arrive within this, or are not waited for. */
export const RECALL_MS = 200;

export interface PermitHolder {
  readonly peer: { note(name: 'permits.scarce', args: { pool: PermitPool; scarce: boolean }): void };
}

export type PermitLimits = Readonly<Record<PermitPool, number>>;

type Want = ToMaster['calls']['permits.want'];

export class PermitDesk {
  readonly #ledgers: Readonly<Record<PermitPool, PermitLedger<PermitHolder>>>;
  readonly #holders = new Set<PermitHolder>();

  constructor(limits: PermitLimits) {
    this.#ledgers = {
      links: this.#ledger('links', limits.links),
      visitors: this.#ledger('visitors', limits.visitors),
    };
  }

  /** A Worker is there: it hears of permits that are scarce from now on. */
  attach(holder: PermitHolder): void {
    this.#holders.add(holder);
    for (const pool of PERMIT_POOLS) {
      if (this.#ledgers[pool].scarce) holder.peer.note('permits.scarce', { pool, scarce: true });
    }
  }

  detach(holder: PermitHolder): void {
    this.#holders.delete(holder);
    for (const pool of PERMIT_POOLS) this.#ledgers[pool].gone(holder);
  }

  want(holder: PermitHolder, { pool, n }: Want['args']): Promise<Want['result']> {
    // A late message of a process that has ended. Permits granted to it would never be returned.
    if (!this.#holders.has(holder)) return Promise.resolve({ granted: 0 });
    return new Promise((resolve) => {
      this.#ledgers[pool].want(holder, n, (granted) => resolve({ granted }));
    });
  }

  giveBack(holder: PermitHolder, { pool, n }: ToMaster['notes']['permits.return']): void {
    this.#ledgers[pool].giveBack(holder, n);
  }

  /** A connection went from one Worker to the other, and its permit with it. */
  move(pool: PermitPool, from: PermitHolder, to: PermitHolder): void {
    // If the receiving process has ended, it would never return the permit.
    if (this.#holders.has(to)) this.#ledgers[pool].move(from, to);
    else this.#ledgers[pool].giveBack(from, 1);
  }

  setLimits(limits: PermitLimits): void {
    for (const pool of PERMIT_POOLS) this.#ledgers[pool].setLimit(limits[pool]);
  }

  #ledger(pool: PermitPool, limit: number): PermitLedger<PermitHolder> {
    let recall: NodeJS.Timeout | undefined;
    const ledger: PermitLedger<PermitHolder> = new PermitLedger(limit, {
      announce: (scarce) => {
        for (const { peer } of this.#holders) peer.note('permits.scarce', { pool, scarce });
      },
      awaitRecall: () => {
        clearTimeout(recall);
        recall = setTimeout(() => ledger.recallOver(), RECALL_MS);
      },
    });
    return ledger;
  }
}
