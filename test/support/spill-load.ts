/**
 * Signed calls against a node whose database and processes come and go, and the audit of what was answered. Every message
 * has a text of its own. One with a caller's id is repeated until it is answered; one without is tried once.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { signCall } from '../../src/platform/auth/signature.js';
import type { Daemon, HttpAnswer } from './daemon.js';
import type { MariadbAccess, OwnMariadb } from './own-mariadb.js';

const PATH = '/api/comment/message';
const POSTERS = 8;
const PAUSE_MS = 5;
const UNTIL_MS = 60_000;

interface Answered {
  readonly title: string;
  readonly id: string;
  readonly spilled: boolean;
  /** It was sent more than once, with an id of the caller. */
  readonly repeated: boolean;
}

export interface Audit {
  readonly missing: readonly string[];
  readonly twice: readonly string[];
  /** Stored under another id than was answered. */
  readonly otherId: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

export class SpillLoad {
  readonly #daemon: Daemon;
  readonly #secret: string;
  readonly #answered: Answered[] = [];
  /** Calls answered by the node with something else than 200, and calls that nobody answered. */
  #refused = 0;
  #unanswered = 0;
  #next = 0;
  #running = false;
  #posters: Promise<void>[] = [];

  constructor(daemon: Daemon, secret: string) {
    this.#daemon = daemon;
    this.#secret = secret;
  }

  start(): void {
    this.#running = true;
    this.#posters = Array.from({ length: POSTERS }, () => this.#post());
  }

  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#posters);
  }

  /** Until so many more were answered, in all, spilled or stored at once. */
  async untilMore(more: { answered?: number; spilled?: number; stored?: number }): Promise<void> {
    const begun = this.#counts();
    const end = Date.now() + UNTIL_MS;
    for (;;) {
      const now = this.#counts();
      const enough = (Object.keys(more) as (keyof typeof more)[]).every(
        (key) => now[key] - begun[key] >= (more[key] ?? 0),
      );
      if (enough) return;
      if (Date.now() > end) throw new Error(`too few were answered: ${JSON.stringify({ more, begun, now })}`);
      await sleep(10);
    }
  }

  /** Calls of many messages, one after the other. */
  async batches(calls: number, messages: number): Promise<void> {
    for (let call = 0; call < calls; call += 1) {
      const titles = Array.from({ length: messages }, () => this.#title());
      const body = { messages: titles.map((title, i) => ({ uid: 1 + (i % 50), title })) };
      const answer = await this.post(body);
      if (answer.status !== 200) throw new Error(`a batch was answered ${answer.status}`);
      const { ids, spilled = 0 } = answer.body.data;
      for (const [i, title] of titles.entries())
        this.#answered.push({ title, id: ids[i], spilled: spilled > 0, repeated: false });
    }
  }

  post(body: unknown): Promise<HttpAnswer> {
    const text = JSON.stringify(body);
    return this.#daemon.post(PATH, text, this.#signed('POST', PATH, text));
  }

  get(path: string): Promise<HttpAnswer> {
    return this.#daemon.get(path, this.#signed('GET', path, ''));
  }

  async audit(server: OwnMariadb, access: MariadbAccess): Promise<Audit> {
    const rows = await server.asRoot(async (root) => {
      const [found] = await root.query(
        `SELECT JSON_VALUE(b.text, '$.title') AS title, CAST(m.id AS CHAR) AS id
         FROM ${access.database}.spush_message m LEFT JOIN ${access.database}.spush_body b ON b.id = m.body_id`,
      );
      return found as { title: string; id: string }[];
    });
    const stored = new Map<string, string[]>();
    for (const { title, id } of rows) stored.set(title, [...(stored.get(title) ?? []), id]);
    const otherIds = this.#answered.filter(({ title, id }) => !stored.get(title)?.includes(id));
    // The first call was kept and its answer lost; the database, which could have told, was away for the second.
    const forgiven = otherIds.filter(({ repeated, spilled }) => repeated && spilled);
    return {
      missing: this.#answered.filter(({ title }) => !stored.has(title)).map(({ title }) => title),
      twice: [...stored].filter(([, ids]) => ids.length > 1).map(([title]) => title),
      otherId: otherIds.filter((each) => !forgiven.includes(each)).map(({ title }) => title),
      counts: {
        ...this.#counts(),
        rows: rows.length,
        refused: this.#refused,
        unanswered: this.#unanswered,
        repeated: this.#answered.filter(({ repeated }) => repeated).length,
        otherIdOfRepeated: forgiven.length,
      },
    };
  }

  #counts(): { answered: number; spilled: number; stored: number } {
    const spilled = this.#answered.filter((each) => each.spilled).length;
    return { answered: this.#answered.length, spilled, stored: this.#answered.length - spilled };
  }

  #title(): string {
    this.#next += 1;
    return `message ${this.#next}`;
  }

  async #post(): Promise<void> {
    while (this.#running) {
      const title = this.#title();
      const own = this.#next % 2 === 0;
      const body = { uid: 1 + (this.#next % 50), title, ...(own ? { id: title } : {}) };
      for (let tries = 1; this.#running; tries += 1) {
        const answer = await this.post(body).catch(() => null);
        if (answer?.status === 200) {
          const { ids, spilled = 0 } = answer.body.data;
          this.#answered.push({ title, id: ids[0], spilled: spilled > 0, repeated: tries > 1 });
          break;
        }
        if (answer) this.#refused += 1;
        else this.#unanswered += 1;
        await sleep(50);
        if (!own) break;
      }
      await sleep(PAUSE_MS);
    }
  }

  #signed(method: string, path: string, body: string): Record<string, string> {
    const nonce = randomBytes(12).toString('hex');
    const timestamp = Math.floor(Date.now() / 1000);
    const contentType = method === 'POST' ? 'application/json' : '';
    const call = { method, path, contentType, body, timestamp, nonce };
    return signCall({ id: 'main', secret: this.#secret }, call);
  }
}
