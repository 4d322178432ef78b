/**
 * `accept`, for all calls of a group together: finds doubles by the caller's key, lets newer messages replace older pending ones,
 * and writes what is new with a few statements of many rows.
 *
 * What the calls mean is worked out here in their order; the tables only see the result. Other processes do the same
 * at the same time, and the tables' unique keys hold what matters: a caller's key that came in between, or an id
 * that another process made too, fails the INSERT, and the group is done again (see group-commit.ts). Keys of messages that
 * replace older ones are locked before (lock-order.ts).
 */
import { sql } from 'kysely';
import { assert } from '../../../shared/base/assert.js';
import type { NewMessage } from '../../../shared/domain/message.js';
import { type MessageIdSource, messageIdFrom } from '../../../shared/domain/message-id.js';
import { type AcceptArgs, encodeAccept, type Run, SLICE_ROWS } from '../accept-runs.js';
import type { Accepted } from '../message-store.js';
import type { AcceptAttempt } from '../spill/spill-target.js';
import { mapKey, OPEN, SETTLED } from './message-rows.js';
import { type MysqlPlace, textTooLong } from './mysql-faults.js';
import { type CollapseKey, findOlder, settleOlder } from './older.js';
import { pausing } from './pausing.js';
import type { Session } from './session.js';
import { chunksOf, written } from './statements.js';

/** Rows of one INSERT: some 100 KiB of text, a few milliseconds of work. */
const INSERT_ROWS = 1000;
/** Texts of one INSERT, unless a single one is longer. */
const INSERT_BYTES = 1024 * 1024;
/** Keys looked up by one statement: far below where the optimizers of MySQL and MariaDB give up ranges for a scan. */
const LOOKUP_KEYS = 250;

export interface AcceptContext {
  readonly ids: MessageIdSource;
  readonly place: MysqlPlace;
}

interface AcceptCall {
  readonly messages: readonly NewMessage[];
  readonly now: number;
  /** Told of the ids each time the call is tried. */
  readonly attempt?: AcceptAttempt;
}

/** A stored message as far as later messages of the group can meet it. */
interface Copy {
  readonly id: bigint;
  state: number;
  expiresAt: number;
  unsent: boolean;
}

interface NewRow extends Copy {
  readonly uid: number;
  readonly run: Run;
  readonly due: number;
  readonly bodyId: bigint;
}

export interface NewBody {
  readonly id: bigint;
  readonly text: string;
  copies: number;
}

export async function acceptAll(
  session: Session,
  calls: readonly AcceptCall[],
  { ids, place }: AcceptContext,
): Promise<Accepted[][]> {
  const encoded: AcceptArgs[] = [];
  for (const { messages, now, attempt } of calls) {
    const args = await pausing(encodeAccept(messages, ids, now));
    // Whatever a try before this one did was taken back: a commit in doubt is settled before there is another try.
    if (attempt) attempt.ids = args.ids;
    encoded.push(args);
  }
  const runs = encoded.flatMap((call) => call.runs);
  const plan = new Plan(await findDoubles(session, runs), await countReleases(session, runs));
  const answers: Accepted[][] = [];
  for (const call of encoded) answers.push(await pausing(plan.take(call)));
  const older = await findOlder(session, [...plan.replacing.values()]);
  await settleOlder(session, older, Math.min(...calls.map(({ now }) => now)));
  await insertBodies(session, plan.bodies, place);
  await insertMessages(session, plan.rows);
  return answers;
}

class Plan {
  readonly rows: NewRow[] = [];
  readonly bodies: NewBody[] = [];
  /** What the new rows replace older ones of, each once. */
  readonly replacing = new Map<string, CollapseKey>();
  readonly #known: Map<string, Copy>;
  readonly #open: Map<string, Copy[]>;
  readonly #releases: ReadonlyMap<number, number>;

  constructor(doubles: Doubles, releases: ReadonlyMap<number, number>) {
    this.#known = doubles.byCaller;
    this.#open = doubles.openByCollapse;
    this.#releases = releases;
  }

  /** One message after the other; pauses after each slice. */
  *take({ runs, ids, now }: AcceptArgs): Generator<void, Accepted[]> {
    const accepted: Accepted[] = [];
    let index = 0;
    for (const run of runs) {
      const due = this.#dueOf(run);
      let body: NewBody | null = null;
      for (const uid of run.uids) {
        if (index > 0 && index % SLICE_ROWS === 0) yield;
        const id = ids[index];
        assert(id !== undefined, `row ${index} came without an id`);
        index += 1;
        const double =
          run.callerKey === null ? undefined : this.#known.get(mapKey(run.kind, uid, run.callerKey));
        if (double !== undefined) {
          const unsent = double.unsent && double.expiresAt > now;
          accepted.push({ id: messageIdFrom(double.id), duplicate: true, unsent });
          continue;
        }
        body ??= this.#newBody(id, run.body);
        body.copies += 1;
        this.#add(
          { id, uid, run, due, bodyId: body.id, state: OPEN, expiresAt: run.expiresAt, unsent: true },
          now,
        );
        accepted.push({ id: messageIdFrom(id), duplicate: false, unsent: true });
      }
    }
    return accepted;
  }

  #add(row: NewRow, now: number): void {
    const { uid, run } = row;
    this.rows.push(row);
    if (run.callerKey !== null) this.#known.set(mapKey(run.kind, uid, run.callerKey), row);
    if (run.collapseKey === null) return;
    const open = mapKey(run.kind, uid, run.collapseKey);
    for (const older of this.#open.get(open) ?? []) {
      older.state = SETTLED;
      older.expiresAt = Math.min(older.expiresAt, now);
      older.unsent = false;
    }
    this.#open.set(open, [row]);
    this.replacing.set(open, { kind: run.kind, uid, key: run.collapseKey });
  }

  /** Cron messages wait for the next run of their job, so for one more than there were. */
  #dueOf(run: Run): number {
    if (!run.cron) return 0;
    const releases = this.#releases.get(run.kind);
    assert(releases !== undefined, `kind ${run.kind} has no row of releases`);
    return releases + 1;
  }

  #newBody(id: bigint, text: string): NewBody {
    const body = { id, text, copies: 0 };
    this.bodies.push(body);
    return body;
  }
}

/** What of a run its callers' keys are made of. */
export type Keyed = Pick<Run, 'kind' | 'callerKey' | 'uids'>;

interface Doubles {
  readonly byCaller: Map<string, Copy>;
  /** Those of them that are open and have a collapse key: a message of the group may replace them. */
  readonly openByCollapse: Map<string, Copy[]>;
}

interface DoubleRow {
  readonly id: string;
  readonly uid: string;
  readonly kind: number;
  readonly state: number;
  readonly expires_at: string;
  readonly sent_at: string | null;
  readonly caller_key: Buffer;
  readonly collapse_key: Buffer | null;
  /** A number in MariaDB, a text in MySQL. */
  readonly receipts: number | string;
}

/** What is stored already under the callers' keys of these runs. */
export async function findDoubles(session: Session, runs: readonly Keyed[]): Promise<Doubles> {
  const byCaller = new Map<string, Copy>();
  const openByCollapse = new Map<string, Copy[]>();
  for (const keys of chunksOf(keysOf(runs), LOOKUP_KEYS)) {
    const matches = keys.map(
      ({ kind, key, uid }) => sql`(m.caller_key = ${key} AND m.uid = ${uid} AND m.kind = ${kind})`,
    );
    const rows = await session.rows<DoubleRow>(
      written(sql`
        SELECT m.id, m.uid, m.kind, m.state, m.expires_at, m.sent_at, m.caller_key, m.collapse_key,
          EXISTS (SELECT 1 FROM spush_receipt r WHERE r.message_id = m.id) AS receipts
        FROM spush_message m FORCE INDEX (spush_message_caller) WHERE ${sql.join(matches, sql` OR `)}`),
    );
    for (const row of rows) {
      const unsent = row.state === OPEN && row.sent_at === null && Number(row.receipts) === 0;
      const copy: Copy = { id: BigInt(row.id), state: row.state, expiresAt: Number(row.expires_at), unsent };
      byCaller.set(mapKey(row.kind, Number(row.uid), row.caller_key.toString()), copy);
      if (row.collapse_key === null || row.state !== OPEN) continue;
      const open = mapKey(row.kind, Number(row.uid), row.collapse_key.toString());
      openByCollapse.set(open, [...(openByCollapse.get(open) ?? []), copy]);
    }
  }
  return { byCaller, openByCollapse };
}

function keysOf(
  runs: readonly Keyed[],
): { readonly kind: number; readonly key: string; readonly uid: number }[] {
  return runs.flatMap(({ kind, callerKey, uids }) =>
    callerKey === null ? [] : uids.map((uid) => ({ kind, key: callerKey, uid })),
  );
}

/**
 * How often each kind's job ran. The shared lock is kept until the commit, so a run of the job comes wholly before or
 * wholly after this group: counting stays exact whatever the clocks say.
 */
export async function countReleases(
  session: Session,
  runs: readonly Pick<Run, 'cron'>[],
): Promise<ReadonlyMap<number, number>> {
  if (!runs.some((run) => run.cron)) return new Map();
  const rows = await session.rows<{ kind: number; number: string }>(
    written(sql`SELECT kind, number FROM spush_released LOCK IN SHARE MODE`),
  );
  return new Map(rows.map(({ kind, number }) => [kind, Number(number)]));
}

export async function insertBodies(
  session: Session,
  bodies: readonly NewBody[],
  place: MysqlPlace,
): Promise<void> {
  // In hexadecimal digits a text is twice as long.
  const sized = bodies.map((body) => ({ body, bytes: ROW_BYTES + 2 * Buffer.byteLength(body.text) }));
  const longest = sized.reduce((most, { bytes }) => Math.max(most, bytes), 0);
  if (longest > session.packetBytesMax - STATEMENT_BYTES)
    throw textTooLong(place, longest, session.packetBytesMax);
  for (const some of packets(sized, session.packetBytesMax))
    await session.run({
      sql: 'INSERT INTO spush_body (id, copies, text) VALUES ?',
      parameters: [some.map(({ body: { id, copies, text } }) => [id, copies, text])],
    });
}

async function insertMessages(session: Session, rows: readonly NewRow[]): Promise<void> {
  const sized = rows.map((row) => ({
    row,
    bytes: ROW_BYTES + 2 * (byteLength(row.run.callerKey) + byteLength(row.run.collapseKey)),
  }));
  for (const some of packets(sized, session.packetBytesMax))
    await session.run({
      sql: `INSERT INTO spush_message
        (id, uid, kind, state, body_id, due, created_at, expires_at, caller_key, collapse_key) VALUES ?`,
      parameters: [
        some.map(({ row: { id, uid, run, state, bodyId, due, expiresAt } }) => [
          id,
          uid,
          run.kind,
          state,
          bodyId,
          due,
          run.createdAt,
          expiresAt,
          run.callerKey,
          run.collapseKey,
        ]),
      ],
    });
}

/** What a row takes besides its texts, and a statement besides its rows, at most. */
export const ROW_BYTES = 192;
const STATEMENT_BYTES = 1024;

/** Rows cut so that a statement of each part fits into a packet of the server. */
export function* packets<T extends { readonly bytes: number }>(
  rows: readonly T[],
  packetBytesMax: number,
): Generator<T[]> {
  const bytesMax = Math.min(INSERT_BYTES, packetBytesMax - STATEMENT_BYTES);
  let part: T[] = [];
  let bytes = 0;
  for (const row of rows) {
    if (part.length > 0 && (part.length === INSERT_ROWS || bytes + row.bytes > bytesMax)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(row);
    bytes += row.bytes;
  }
  if (part.length > 0) yield part;
}

export function byteLength(text: string | null): number {
  return text === null ? 0 : Buffer.byteLength(text);
}
