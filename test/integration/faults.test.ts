/**
 * What was accepted is kept and shown, whatever happens to Redis, MariaDB and the nodes themselves: two nodes under load, one
 * fault after the other, an audit after each. One round of a few faults by default; `npm run test:faults` does
 * SPUSH_TEST_FAULT_ROUNDS rounds of each kind, in an order by chance. SPUSH_TEST_SEED sets the seed, SPUSH_TEST_FAULT_RATE
 * the messages a second, SPUSH_TEST_FAULT_ONLY one kind of fault.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditTable, FaultAudit, type FaultRound, type FaultTimes } from '../support/fault-audit.js';
import {
  FAULT_NAMES,
  type FaultName,
  type FaultWorld,
  openClusterWorld,
  openSentinelWorld,
  openSingleWorld,
} from '../support/fault-world.js';
import { canHaveOwnSite, SITE_KEY } from '../support/own-site.js';
import { seededRandom } from '../support/random.js';

const SEED = Number(process.env['SPUSH_TEST_SEED'] ?? Date.now() % 1_000_000);
/** 0: the short form. */
const ROUNDS = Number(process.env['SPUSH_TEST_FAULT_ROUNDS'] ?? 0);
const RATE = Number(process.env['SPUSH_TEST_FAULT_RATE'] ?? (ROUNDS > 0 ? 500 : 200));
const ONLY = process.env['SPUSH_TEST_FAULT_ONLY'];
const USERS = 200;
const SHORT: readonly FaultName[] = ['redis killed', 'black hole, one node', 'mariadb frozen', 'node killed'];
const ROUND_MS = 70_000;
/** The whole form holds a fault for a time by chance, long enough that readiness must have turned red; a frozen Redis for all of it. */
const HOLD_MS = { least: 6000, most: 12_000, frozen: 15_000 };
/** Of rounds without a fault some are enough. */
const ROUNDS_OF_NOTHING = 5;

const WORLDS = [
  { name: 'one Redis', open: openSingleWorld, faults: FAULT_NAMES.slice(0, 8) },
  { name: 'Redis with Sentinels', open: openSentinelWorld, faults: FAULT_NAMES.slice(8, 9) },
  { name: 'a Redis Cluster', open: openClusterWorld, faults: FAULT_NAMES.slice(9) },
] as const;

const random = seededRandom(SEED);
const rounds: FaultRound[] = [];

function timesOf(fault: FaultName): FaultTimes {
  if (ROUNDS === 0) return { before: 1000, hold: 5000, after: 1500 };
  const { least, most, frozen } = HOLD_MS;
  return {
    before: 2000,
    hold: fault === 'redis frozen' ? frozen : least + random() * (most - least),
    after: 2000,
  };
}

function plan(faults: readonly FaultName[]): FaultName[] {
  const wanted = faults.filter((name) => (ONLY === undefined ? true : name === ONLY));
  if (ROUNDS === 0) return ONLY === undefined ? wanted.filter((name) => SHORT.includes(name)) : wanted;
  const roundsOf = (name: FaultName) => (name === 'nothing' ? Math.min(ROUNDS, ROUNDS_OF_NOTHING) : ROUNDS);
  const all = wanted.flatMap((name) => Array.from({ length: roundsOf(name) }, () => name));
  for (let at = all.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    [all[at], all[other]] = [all[other] as FaultName, all[at] as FaultName];
  }
  return all;
}

describe.skipIf(!canHaveOwnSite())(`faults (seed ${SEED})`, () => {
  afterAll(() => {
    if (rounds.length > 0) console.log(auditTable(rounds));
  });

  for (const { name, open, faults } of WORLDS) {
    const planned = plan(faults);
    describe.skipIf(planned.length === 0)(`with ${name}`, () => {
      const ends: (() => Promise<void>)[] = [];
      let world: FaultWorld;
      let audit: FaultAudit;

      beforeAll(async () => {
        console.log(`seed ${SEED}, ${RATE} messages a second, ${planned.length} rounds`);
        world = await open((end) => ends.push(end), random);
        audit = await FaultAudit.open(world, SITE_KEY, { users: USERS, rate: RATE, random });
        ends.push(() => audit.close());
      });

      afterAll(async () => {
        if (audit) console.log(audit.notes());
        for (const end of ends.reverse()) await end();
      });

      for (const [n, fault] of planned.entries()) {
        test(`${fault}: nothing that was accepted is lost or doubled (round ${n + 1})`, {
          timeout: ROUND_MS,
        }, async () => {
          const round = await audit.round(world.fault(fault), timesOf(fault));
          rounds.push(round);
          if (ROUNDS > 0) console.log(auditTable([round]));
          expect(round.faults).toEqual([]);
          expect(round.answered, 'messages answered 200').toBeGreaterThan(RATE);
        });
      }
    });
  }
});
