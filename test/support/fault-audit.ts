/**
 * One round of a fault at a time, under load, and its audit: what was answered 200 is stored once, what is stored for an
 * online user was shown within a bound after the healing, on each of the user's devices that kept its connection, nothing was
 * shown twice, readiness told the truth, and nobody died who was not killed. Answers faults in words, and a row of figures.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiKey } from '../../src/platform/auth/signature.js';
import { FaultDevice, FaultPoster, oneLogin, type SentMessage } from './fault-load.js';
import type { Fault, FaultName, FaultWorld } from './fault-world.js';
import { ReadyWatch } from './ready-watch.js';
import { textTable } from './text-table.js';

/** A message of an online user arrives within this after the healing. */
export const DELAY_MS_MAX = 10_000;
const RED_MS_MAX = 5000;
const GREEN_MS_MAX = 20_000;
const UID_FROM = 5000;
const IDS_PER_QUERY = 1000;
const LOGIN_EVERY_MS = 400;
/** Load, and the ways to Redis, are in this process: when it stood still for longer, a red answer may be its own doing. */
const OWN_LOOP_MS_MAX = 500;

export interface FaultTimes {
  /** Before the harm, while it lasts, and after the healing, ms. */
  readonly before: number;
  readonly hold: number;
  readonly after: number;
}

export interface FaultRound {
  readonly fault: FaultName;
  readonly posts: number;
  readonly answered: number;
  readonly refused: number;
  readonly stored: number;
  readonly delivered: number;
  readonly worstMs: number;
  readonly rawDoubles: number;
  readonly shownTwice: number;
  /** Copies that a device did not get which lost its connection meanwhile: another device of the user settled the message. */
  readonly settledElsewhere: number;
  readonly redMs: readonly number[];
  readonly greenMs: readonly number[];
  /** Answers to logins tried during the fault, by code. */
  readonly logins: ReadonlyMap<string, number>;
  /** The longest time in which this process stood still. */
  readonly ownLoopMs: number;
  readonly faults: readonly string[];
}

/** Devices, the caller and the watches of readiness of one world, for all its rounds. */
export class FaultAudit {
  readonly #world: FaultWorld;
  readonly #poster: FaultPoster;
  readonly #devices: FaultDevice[] = [];
  readonly #byUser = new Map<number, FaultDevice[]>();
  readonly #watches: ReadyWatch[];
  readonly #uids: number[];
  readonly #rate: number;
  #visitors = 0;

  private constructor(world: FaultWorld, key: ApiKey, options: AuditOptions) {
    this.#world = world;
    this.#rate = options.rate;
    this.#poster = new FaultPoster(world.nodes, key, options.random);
    this.#watches = world.nodes.map(({ port }) => new ReadyWatch(port));
    this.#uids = Array.from({ length: options.users }, (_, n) => UID_FROM + n);
  }

  /** Resolves when all devices are logged in: half of the users have one on each node, the others one on either. */
  static async open(world: FaultWorld, key: ApiKey, options: AuditOptions): Promise<FaultAudit> {
    const audit = new FaultAudit(world, key, options);
    for (const [n, uid] of audit.#uids.entries()) {
      for (const [at, node] of world.nodes.entries()) {
        if (n % 4 >= 2 || n % 2 === at) audit.#addDevice(node.wsUrl, uid, at);
      }
    }
    for (const device of audit.#devices) device.start();
    await audit.#untilOnline(30_000);
    return audit;
  }

  #addDevice(wsUrl: string, uid: number, at: number): void {
    const device = new FaultDevice(wsUrl, uid, at, this.#poster.messages);
    this.#devices.push(device);
    const ofUser = this.#byUser.get(uid);
    if (ofUser) ofUser.push(device);
    else this.#byUser.set(uid, [device]);
  }

  async round(fault: Fault, times: FaultTimes): Promise<FaultRound> {
    const { nodes } = this.#world;
    const faults: string[] = [];
    const ownLoop = monitorEventLoopDelay({ resolution: 10 });
    ownLoop.enable();
    const begunAt = performance.now();
    const processes = nodes.map((node) => new Map(node.processes()));
    const doublesBefore = this.#doubles();
    const known = new Set(this.#poster.messages.keys());
    this.#poster.start(this.#uids, this.#rate);
    await sleep(times.before);
    const harmedAt = performance.now();
    await fault.harm();
    const logins = this.#tryLogins();
    const heldUntil = performance.now() + times.hold;
    await sleep(Math.max(0, heldUntil - performance.now()));
    await fault.heal();
    const healedAt = performance.now();
    const answers = await logins.stop();
    await sleep(times.after);
    await this.#poster.stop();
    const stoppedAt = performance.now();

    const sent = [...this.#poster.messages.values()].filter(({ title }) => !known.has(title));
    const answered = sent.filter(({ answeredAt }) => answeredAt !== null);
    await this.#untilShown(answered, begunAt, Math.max(healedAt, stoppedAt) + DELAY_MS_MAX + 2000);
    const greens = await Promise.all(this.#watches.map((watch) => watch.untilGreen(healedAt, GREEN_MS_MAX)));
    await this.#untilOnline(15_000).catch((error: Error) => faults.push(error.message));

    const delays = answered.map((message) => delayOf(message, this.#steady(message.uid, begunAt), healedAt));
    const lost = answered.filter((_, k) => delays[k] === null);
    if (lost.length > 0) faults.push(`${lost.length} messages never shown: ${few(lost)}`);
    const late = answered.filter((_, k) => (delays[k] ?? 0) > DELAY_MS_MAX);
    if (late.length > 0) faults.push(`${late.length} messages shown late: ${few(late)}`);
    const stored = await this.#storedOf(answered, faults);
    const twins = sent.filter(({ ids }) => ids.size > 1);
    if (twins.length > 0) faults.push(`${twins.length} messages under two ids: ${few(twins)}`);
    const doubles = this.#doubles();
    if (doubles.shownTwice > doublesBefore.shownTwice) faults.push('messages were shown twice');
    if (doubles.strange > doublesBefore.strange) faults.push('messages came that are not the user’s');
    const lacking = answered.filter(({ uid, shown }) =>
      this.#steady(uid, begunAt).some((device) => !shown.has(device)),
    );
    if (lacking.length > 0)
      faults.push(`${lacking.length} messages missed by a connected device: ${few(lacking)}`);
    const missed = this.#missedCopies(answered);

    ownLoop.disable();
    const ownLoopMs = ownLoop.max / 1e6;
    const reds = this.#watches.map((watch) => watch.redAfter(harmedAt));
    for (const [n, red] of reds.entries()) {
      const must = fault.red.includes(n);
      if (must && (red === null || red > RED_MS_MAX)) faults.push(`node ${n} was not red in time: ${red}`);
      if (!must && red !== null) {
        const text = `node ${n} was red for no reason: ${this.#watches[n]?.reasons(harmedAt).join(', ')}`;
        if (ownLoopMs < OWN_LOOP_MS_MAX) faults.push(text);
        else console.warn(`${text}; this process stood still for ${ownLoopMs.toFixed(0)} ms`);
      }
      if (greens[n] === null)
        faults.push(`node ${n} stays red: ${this.#watches[n]?.reasons(healedAt).join(', ')}`);
    }
    for (const [n, before] of processes.entries()) {
      if (fault.kills.includes(n)) continue;
      const now = nodes[n]?.processes() ?? new Map<number, string>();
      for (const [pid, title] of before)
        if (!now.has(pid)) faults.push(`${title} of node ${n} ended by itself: ${nodes[n]?.logOf(pid)}`);
    }
    await fault.tidy?.();
    return {
      fault: fault.name,
      posts: sent.length,
      answered: answered.length,
      refused: sent.filter(({ refused }) => refused !== null).length,
      stored,
      delivered: answered.length - lost.length,
      worstMs: Math.max(0, ...delays.map((delay) => delay ?? 0)),
      rawDoubles: doubles.raw - doublesBefore.raw,
      shownTwice: doubles.shownTwice - doublesBefore.shownTwice,
      settledElsewhere: missed,
      redMs: reds.filter((_, n) => fault.red.includes(n)).flatMap((red) => red ?? []),
      greenMs: greens.filter((_, n) => fault.red.includes(n)).flatMap((green) => green ?? []),
      logins: answers,
      ownLoopMs,
      faults,
    };
  }

  async close(): Promise<void> {
    await this.#poster.stop();
    this.#poster.close();
    await Promise.all([...this.#devices, ...this.#watches].map((one) => one.close()));
  }

  /** In words: how often the caller was held up, and what devices were told when they could not come back. */
  notes(): string {
    const refusals = new Map<string, number>();
    for (const device of this.#devices)
      for (const [how, times] of device.refusals) refusals.set(how, (refusals.get(how) ?? 0) + times);
    const told = [...refusals].map(([how, times]) => `${how} × ${times}`).join(', ') || 'none';
    return `calls repeated ${this.#poster.retries}, ticks left out ${this.#poster.behind}; devices refused when coming back: ${told}`;
  }

  async #untilOnline(waitMs: number): Promise<void> {
    const away = () => this.#devices.filter(({ loggedIn }) => !loggedIn);
    for (const end = performance.now() + waitMs; performance.now() < end; await sleep(50))
      if (away().length === 0) return;
    throw new Error(
      `${away().length} devices are not logged in after ${waitMs} ms, the first on node ${away()[0]?.node}`,
    );
  }

  async #untilShown(messages: readonly SentMessage[], since: number, end: number): Promise<void> {
    let open = messages;
    while (performance.now() < end && open.length > 0) {
      await sleep(50);
      open = open.filter(
        ({ uid, shown }) => shown.size === 0 || this.#steady(uid, since).some((one) => !shown.has(one)),
      );
    }
    // Doubles have their chance too.
    await sleep(500);
  }

  /** The user's devices that have kept their connection since then. */
  #steady(uid: number, since: number): FaultDevice[] {
    return this.#devicesOf(uid).filter(({ lostAt }) => (lostAt.at(-1) ?? 0) < since);
  }

  #devicesOf(uid: number): readonly FaultDevice[] {
    return this.#byUser.get(uid) ?? [];
  }

  #doubles(): { raw: number; shownTwice: number; strange: number } {
    const total = { raw: 0, shownTwice: 0, strange: 0 };
    for (const { rawDoubles, shownTwice, strange } of this.#devices) {
      total.raw += rawDoubles;
      total.shownTwice += shownTwice;
      total.strange += strange;
    }
    return total;
  }

  #missedCopies(messages: readonly SentMessage[]): number {
    return messages.reduce((sum, { uid, shown }) => sum + this.#devicesOf(uid).length - shown.size, 0);
  }

  /** Asks the database itself. */
  async #storedOf(messages: readonly SentMessage[], faults: string[]): Promise<number> {
    const { mariadb } = this.#world.site;
    const copies = new Map<string, number>();
    const idOf = new Map<string, string>();
    await mariadb.asRoot(async (root) => {
      for (let from = 0; from < messages.length; from += IDS_PER_QUERY) {
        const titles = messages.slice(from, from + IDS_PER_QUERY).map(({ title }) => Buffer.from(title));
        const [rows] = await root.query(
          `SELECT CAST(id AS CHAR) AS id, caller_key FROM ${this.#world.database}.spush_message WHERE caller_key IN (?)`,
          [titles],
        );
        for (const { id, caller_key } of rows as { id: string; caller_key: Buffer }[]) {
          const title = caller_key.toString();
          copies.set(title, (copies.get(title) ?? 0) + 1);
          idOf.set(title, id);
        }
      }
    });
    const gone = messages.filter(({ title }) => !copies.has(title));
    if (gone.length > 0) faults.push(`${gone.length} answered 200 and not stored: ${few(gone)}`);
    const twice = messages.filter(({ title }) => (copies.get(title) ?? 0) > 1);
    if (twice.length > 0) faults.push(`${twice.length} stored twice: ${few(twice)}`);
    const other = messages.filter(({ title, id }) => copies.has(title) && idOf.get(title) !== id);
    if (other.length > 0) faults.push(`${other.length} stored under another id than answered: ${few(other)}`);
    return messages.length - gone.length;
  }

  /** Users who come while the fault lasts; what they are told, and how long it takes at most. */
  #tryLogins(): { stop(): Promise<ReadonlyMap<string, number>> } {
    const answers = new Map<string, number>();
    const count = (answer: string): void => void answers.set(answer, (answers.get(answer) ?? 0) + 1);
    let ended = false;
    const running = (async () => {
      const tries: Promise<void>[] = [];
      while (!ended) {
        const node = this.#world.nodes[this.#visitors % this.#world.nodes.length];
        this.#visitors += 1;
        tries.push(oneLogin(node?.wsUrl ?? '', 900_000 + this.#visitors).then(count));
        await sleep(LOGIN_EVERY_MS);
      }
      await Promise.all(tries);
    })();
    return {
      async stop() {
        ended = true;
        await running;
        return answers;
      },
    };
  }
}

export interface AuditOptions {
  readonly users: number;
  /** Messages a second. */
  readonly rate: number;
  readonly random: () => number;
}

/** The table of all rounds, those of one fault together. */
export function auditTable(rounds: readonly FaultRound[]): string {
  const names = [...new Set(rounds.map(({ fault }) => fault))];
  const rows = names.map((name) => {
    const of = rounds.filter(({ fault }) => fault === name);
    const total = (value: (round: FaultRound) => number) => of.reduce((sum, round) => sum + value(round), 0);
    const logins = new Map<string, number>();
    for (const round of of)
      for (const [code, times] of round.logins) logins.set(code, (logins.get(code) ?? 0) + times);
    return [
      name,
      of.length,
      total(({ posts }) => posts),
      total(({ answered }) => answered),
      total(({ refused }) => refused),
      total(({ stored }) => stored),
      total(({ delivered }) => delivered),
      seconds(of.map(({ worstMs }) => worstMs)),
      `${total(({ rawDoubles }) => rawDoubles)}/${total(({ shownTwice }) => shownTwice)}`,
      total(({ settledElsewhere }) => settledElsewhere),
      seconds(of.flatMap(({ redMs }) => redMs)),
      seconds(of.flatMap(({ greenMs }) => greenMs)),
      seconds(of.map(({ ownLoopMs }) => ownLoopMs)),
      [...logins].map(([code, times]) => `${code}×${times}`).join(' ') || '-',
    ];
  });
  const head = [
    'fault',
    'rounds',
    'posts',
    '200s',
    'refused',
    'in store',
    'delivered',
    'worst delay s',
  ].concat([
    'doubles raw/shown',
    'settled elsewhere',
    'red after s',
    'green after s',
    'own loop s',
    'logins meanwhile',
  ]);
  return textTable(head, rows);
}

function seconds(values: readonly number[]): string {
  return values.length === 0 ? '-' : (Math.max(...values) / 1000).toFixed(1);
}

/** Ms from when it could be shown to when the last of these devices showed it, or without them the first that did; null: never. */
function delayOf(
  { answeredAt, shown }: SentMessage,
  steady: readonly FaultDevice[],
  healedAt: number,
): number | null {
  if (shown.size === 0) return null;
  const copies = steady.flatMap((device) => shown.get(device) ?? []);
  const at = copies.length > 0 ? Math.max(...copies) : Math.min(...shown.values());
  return at - Math.max(answeredAt ?? 0, healedAt);
}

function few(messages: readonly SentMessage[]): string {
  return messages
    .slice(0, 5)
    .map(({ title, uid, id }) => `${title} of ${uid} (${id})`)
    .join(', ');
}
