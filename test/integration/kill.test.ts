/**
 * kill -9 of every process at once, again and again, under a stream of POSTs. What was answered 200 is in the store, once,
 * and the reader, reconnecting, has seen each message exactly once after dropping by id.
 *
 * SPUSH_TEST_KILLS sets the number of kills (8), SPUSH_TEST_SEED the seed; `npm run test:kill` does 200.
 */
import { afterAll, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { seededRandom } from '../support/random.js';
import { WsClient } from '../support/ws-client.js';

const KILLS = Number(process.env['SPUSH_TEST_KILLS'] ?? 8);
const SEED = Number(process.env['SPUSH_TEST_SEED'] ?? Date.now() % 1_000_000);
const UID = 9;
const CALLERS = 6;

interface Answered {
  readonly key: string;
  readonly id: string;
}

let daemon: Daemon | null = null;

afterAll(async () => {
  await daemon?.dispose();
});

/** Posts singles and batches; what was not answered is posted again with the same ids, as a careful caller does. */
class Caller {
  readonly answered: Answered[] = [];
  unanswered: string[][] = [];
  readonly #name: string;
  readonly #random: () => number;
  #sequence = 0;

  constructor(name: string, random: () => number) {
    this.#name = name;
    this.#random = random;
  }

  next(): string[] {
    const size = this.#random() < 0.7 ? 1 : 2 + Math.floor(this.#random() * 40);
    return Array.from({ length: size }, () => `${this.#name}-${++this.#sequence}`);
  }

  /** Answers whether the call was answered. */
  async post(target: Daemon, keys: string[]): Promise<boolean> {
    const messages = keys.map((key) => ({ uid: UID, title: key, id: key }));
    const body = messages.length === 1 ? messages[0] : { messages };
    try {
      const { status, body: answer } = await target.post('/api/comment/message', body);
      if (status !== 200) throw new Error(`answered ${status}`);
      for (const [n, key] of keys.entries()) this.answered.push({ key, id: answer.data.ids[n] });
      return true;
    } catch {
      this.unanswered.push(keys); // killed in the middle: the caller cannot know whether it was stored
      return false;
    }
  }
}

/** Reconnects until it is told to stop; keeps what it has seen, by message id. */
class Reader {
  readonly seen = new Map<string, string>();
  copies = 0;
  #client: WsClient | null = null;

  async connect(target: Daemon): Promise<void> {
    const client = await WsClient.login(target.wsUrl, UID);
    this.#client = client;
    let taken = 0;
    const take = (): false => {
      const fresh = client.items.slice(taken);
      taken += fresh.length;
      this.copies += fresh.length;
      for (const { id, title } of fresh) this.seen.set(id, title);
      for (let at = 0; at < fresh.length && !client.closed; at += 500) {
        client.send('ack', { ids: fresh.slice(at, at + 500).map(({ id }) => id) });
      }
      return false;
    };
    client.until(() => take() || client.closed !== null, 600_000).catch(() => undefined);
  }

  async untilSeen(ids: Iterable<string>): Promise<void> {
    await this.#client?.until(() => [...ids].every((id) => this.seen.has(id)), 60_000);
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }
}

test(`what was answered 200 survives ${KILLS} kills of everything (seed ${SEED})`, {
  timeout: 60_000 + KILLS * 15_000,
}, async () => {
  console.log(`seed ${SEED}, ${KILLS} kills`);
  const random = seededRandom(SEED);
  const running = await Daemon.start({ env: { SPUSH_WORKER_NUM: '2' } });
  daemon = running;
  const callers = Array.from({ length: CALLERS }, (_, n) => new Caller(`c${n}`, random));
  const reader = new Reader();

  for (let kill = 0; kill < KILLS; kill += 1) {
    if (kill > 0) await running.start();
    await reader.connect(running);
    let killed = false;
    const streams = callers.map(async (caller) => {
      for (const keys of caller.unanswered.splice(0)) await caller.post(running, keys);
      while (!killed && (await caller.post(running, caller.next())));
    });
    await new Promise((resolve) => setTimeout(resolve, random() * 700));
    await running.killAll();
    killed = true;
    await Promise.all(streams);
  }

  await running.start();
  await reader.connect(running);
  for (const caller of callers) {
    for (const keys of caller.unanswered.splice(0)) expect(await caller.post(running, keys)).toBe(true);
  }
  const answered = callers.flatMap((caller) => caller.answered);
  const idOfKey = new Map<string, string>();
  for (const { key, id } of answered) {
    expect(idOfKey.get(key) ?? id, `${key} was stored twice`).toBe(id);
    idOfKey.set(key, id);
  }
  expect(answered.length).toBeGreaterThan(KILLS);

  await reader.untilSeen(idOfKey.values());
  const titles = [...reader.seen.values()];
  expect(new Set(titles).size, 'a message was shown under two ids').toBe(titles.length);
  expect(new Set(titles)).toEqual(new Set(idOfKey.keys()));

  const stored: string[] = [];
  const auditor = await WsClient.login(running.wsUrl, UID);
  for (let cursor: string | null = null; ; ) {
    const page = await auditor.ask('list', { limit: 100, ...(cursor ? { cursor } : {}) });
    stored.push(...page.body.items.map(({ title }: { title: string }) => title));
    cursor = page.body.next;
    if (!cursor) break;
  }
  expect(stored.length, 'stored twice or lost').toBe(idOfKey.size);
  expect(new Set(stored)).toEqual(new Set(idOfKey.keys()));
  await auditor.close();
  await reader.close();
  console.log(
    `${idOfKey.size} messages answered and stored once; ${reader.copies} copies on the wire, each shown once`,
  );
});
