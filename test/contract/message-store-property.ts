/** Random sequences of calls, to a store and to the model beside it: every answer is the same. */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { MessageStore } from '../../src/platform/store/message-store.js';
import { KINDS } from '../../src/shared/domain/kind.js';
import type { NewMessage } from '../../src/shared/domain/message.js';
import type { MessageId } from '../../src/shared/domain/message-id.js';
import { FakeClock } from '../support/fake-clock.js';
import type { OpenStore } from './message-store-bench.js';
import { StoreModel } from './message-store-model.js';

const UNKNOWN = '1999999999999999999' as MessageId;
const USERS = [1, 2] as const;

const user = fc.constantFrom(...USERS);
const kind = fc.constantFrom(...KINDS);
/** A message by the number of its acceptance; some do not exist. */
const number = fc.nat(15);
const some = fc.array(number, { maxLength: 8 });

const newMessage = fc.record({
  kind,
  user,
  callerId: fc.option(fc.constantFrom('a', 'b'), { freq: 1 }),
  collapse: fc.option(fc.constant('k'), { freq: 1 }),
  deliver: fc.constantFrom('now', 'now', 'cron'),
  livesMs: fc.constantFrom(3, 50, 1000),
});

type NewOne = typeof newMessage extends fc.Arbitrary<infer T> ? T : never;

const messages = fc.array(newMessage, { maxLength: 6 });
const of = <T>(weight: number, arbitrary: fc.Arbitrary<T>) => ({ weight, arbitrary });
const call = fc.oneof(
  of(6, fc.record({ name: fc.constant('accept'), messages })),
  of(5, fc.record({ name: fc.constant('markSent'), user, some, settled: fc.boolean() })),
  of(3, fc.record({ name: fc.constant('ack'), user, some })),
  of(2, fc.record({ name: fc.constant('readIds'), user, some })),
  of(1, fc.record({ name: fc.constant('readKind'), user, kind: fc.option(kind, { freq: 1 }) })),
  of(2, fc.record({ name: fc.constant('release'), kind })),
  of(3, fc.record({ name: fc.constant('wait'), ms: fc.constantFrom(1, 5) })),
  of(1, fc.record({ name: fc.constant('setClock'), byMs: fc.constantFrom(-3_600_000, 300_000) })),
  of(
    5,
    fc.record({
      name: fc.constant('page'),
      user,
      number,
      kind: fc.option(kind, { freq: 1 }),
      limit: fc.integer({ min: 1, max: 7 }),
      agoMs: fc.nat(3),
    }),
  ),
);

type Call = typeof call extends fc.Arbitrary<infer T> ? T : never;

export async function checkAgainstModel(open: OpenStore, { runs }: { readonly runs: number }): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 60, size: 'max' }), async (calls) => {
      const clock = new FakeClock();
      const opened = await open({ clock });
      try {
        const run = new Run(opened.store, clock);
        for (const each of calls) {
          await run.make(each);
          await run.compareAll();
        }
      } finally {
        await opened.close();
      }
    }),
    { numRuns: runs },
  );
}

class Run {
  readonly #store: MessageStore;
  readonly #clock: FakeClock;
  readonly #model: StoreModel;
  readonly #ids: MessageId[] = [];

  constructor(store: MessageStore, clock: FakeClock) {
    this.#store = store;
    this.#clock = clock;
    this.#model = new StoreModel(clock);
  }

  async make(each: Call): Promise<void> {
    const at = this.#clock.now();
    switch (each.name) {
      case 'accept':
        return this.#accept(each.messages);
      case 'markSent': {
        const { user: uid, settled } = each;
        for (const one of new Set(each.some)) this.#model.markSent(uid, one, settled, at);
        return this.#store.markSent(
          this.#idsOf(each.some).map((id) => ({ uid, id, settled })),
          at,
        );
      }
      case 'ack': {
        const changed = await this.#store.ack(each.user, this.#idsOf(each.some), at);
        return expect(changed).toBe(this.#model.ack(each.user, each.some, at));
      }
      case 'readIds': {
        const changed = await this.#store.read(each.user, { ids: this.#idsOf(each.some) }, at);
        return expect(changed).toBe(this.#model.read(each.user, { numbers: each.some }, at));
      }
      case 'readKind': {
        const mark = each.kind === null ? ({ all: true } as const) : { kind: each.kind };
        const changed = await this.#store.read(each.user, mark, at);
        return expect(changed).toBe(this.#model.read(each.user, mark, at));
      }
      case 'release':
        this.#model.release(each.kind);
        return this.#store.release(each.kind, at);
      case 'wait':
        return this.#clock.advance(each.ms);
      case 'setClock':
        return this.#clock.step(each.byMs);
      case 'page':
        return this.#comparePages(each);
    }
  }

  /** Every question whose answer a call may have changed. */
  async compareAll(): Promise<void> {
    const [store, model] = [this.#store, this.#model];
    for (const uid of USERS) {
      const [pending, listed, unread] = await Promise.all([
        store.pending(uid, { limit: 1000 }),
        store.list(uid, { limit: 1000 }),
        store.unread(uid),
      ]);
      expect(pending.map(({ id }) => id)).toEqual(this.#idsOf(model.pending(uid, { limit: 1000 })));
      expect(listed.items.map(({ id, read }) => ({ id, read }))).toEqual(
        model.list(uid, undefined, false).map(({ number: one, read }) => ({ id: this.#ids[one], read })),
      );
      expect(unread).toEqual(model.unread(uid));
    }
    const statuses = await Promise.all(this.#ids.map((id) => store.status(id)));
    for (const [index, status] of statuses.entries()) {
      const { state, sent, acked, read } = model.state(index);
      const { uid } = model.message(index);
      expect(status).toMatchObject({
        state,
        uid,
        ...(uid === null ? { receipts: { sent, acked, read } } : {}),
      });
    }
  }

  async #accept(given: readonly NewOne[]): Promise<void> {
    const messages = given.map((one) => this.#message(one));
    const answers = await this.#store.accept(messages);
    expect(answers.length).toBe(messages.length);
    // The model takes one after the other; so does the store, inside its call.
    for (const [index, message] of messages.entries()) {
      const { number: stored, duplicate, unsent } = this.#model.accept(message);
      const answer = answers[index];
      if (!duplicate) this.#ids.push(answer?.id ?? UNKNOWN);
      expect(answer).toEqual({ id: this.#ids[stored], duplicate, unsent });
    }
  }

  /** Pages of the list joined are the list; `pending` after an id, of a kind, not sent of late, up to a limit. */
  async #comparePages(each: Extract<Call, { name: 'page' }>): Promise<void> {
    const { user: uid, limit } = each;
    const ofKind = each.kind === null ? {} : { kind: each.kind };
    const all = this.#model.list(uid, ofKind.kind, true).map(({ number: one }) => this.#ids[one]);
    const paged: MessageId[] = [];
    let cursor: MessageId | null | undefined;
    while (cursor !== null) {
      const page = await this.#store.list(uid, {
        ...ofKind,
        unread: true,
        limit,
        ...(cursor === undefined ? {} : { cursor }),
      });
      expect(page.items.length).toBeLessThanOrEqual(limit);
      paged.push(...page.items.map(({ id }) => id));
      cursor = page.next;
    }
    expect(paged).toEqual(all);
    const after = this.#ids[each.number];
    const common = { ...ofKind, notSentSince: this.#clock.now() - each.agoMs, limit };
    const queries = [
      { asked: common, expected: common },
      ...(after === undefined
        ? []
        : [
            { asked: { ...common, after }, expected: { ...common, after: each.number } },
            { asked: { ...common, settledSince: after }, expected: { ...common, settledSince: each.number } },
          ]),
    ];
    for (const { asked, expected } of queries) {
      const pending = await this.#store.pending(uid, asked);
      expect(pending.map(({ id }) => id)).toEqual(this.#idsOf(this.#model.pending(uid, expected)));
    }
  }

  #message({ kind: ofKind, user: uid, callerId, collapse, deliver, livesMs }: NewOne): NewMessage {
    const createdAt = this.#clock.now();
    return {
      kind: ofKind,
      uid: ofKind === 'systemNotice' ? null : uid,
      title: `${ofKind} of ${uid}`,
      content: '',
      url: null,
      data: null,
      callerId,
      collapse,
      deliver,
      createdAt,
      expiresAt: createdAt + livesMs,
    };
  }

  #idsOf(numbers: readonly number[]): MessageId[] {
    return numbers.map((one) => this.#ids[one] ?? UNKNOWN);
  }
}
