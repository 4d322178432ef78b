/**
 * How many connections may be visitors'. All of them where VisitorMax is not set: every reader is a visitor for the moment between
 * hello and login, so a smaller number would keep readers out while there is room. Of one address a tenth of that over
 * all Workers, so that nobody fills the server alone; a school behind one address has a few hundred such moments at a time.
 */
import type { Config } from '../config/config-schema.js';
import { effectiveMaxLinks } from './descriptors.js';

const OF_ONE_ADDRESS = 1 / 10;
/** With many Workers a tenth may be less than a household. */
const PER_ADDRESS_MIN = 16;

export interface VisitorShare {
  /** Of the whole node. */
  readonly max: number;
  /** Of one address, in each Worker. */
  readonly perAddress: number;
}

/** @param limit of open files of a process, as for `effectiveMaxLinks` */
export function visitorShare(config: Config, limit: number | null): VisitorShare {
  const { VisitorMax, VisitorsPerAddress, WorkerNum } = config.system;
  const links = effectiveMaxLinks(config, limit);
  const max = Math.min(links, VisitorMax ?? links);
  const share = Math.max(PER_ADDRESS_MIN, Math.floor((max * OF_ONE_ADDRESS) / WorkerNum));
  return { max, perAddress: VisitorsPerAddress ?? share };
}
