/** The one suite that every message store passes. What is peculiar to an implementation is tested beside it. */
import { describe } from 'vitest';
import { describeAccepting } from './message-store-accepting.js';
import { createContract, type OpenStore } from './message-store-bench.js';
import { describeDelivering } from './message-store-delivering.js';
import { describeInbox } from './message-store-inbox.js';
import { describeInspecting } from './message-store-inspecting.js';
import { describeUpkeep } from './message-store-upkeep.js';

/** @param runs of random calls, each on a store of its own */
export function describeMessageStore(name: string, open: OpenStore, { runs = 40 } = {}): void {
  describe(`${name}, as a message store,`, () => {
    const contract = createContract(open);
    describeAccepting(contract);
    describeDelivering(contract);
    describeInbox(contract);
    describeInspecting(contract);
    describeUpkeep(contract, { runs });
  });
}
