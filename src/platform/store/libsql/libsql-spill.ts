/** The spill's file, written through the same thread and in the same tables as the embedded store. */
import { setImmediate } from 'node:timers/promises';
import { assert } from '../../../shared/base/assert.js';
import type { MessageFacts, NewMessage } from '../../../shared/domain/message.js';
import type { MessageId, MessageIdSource } from '../../../shared/domain/message-id.js';
import { type AcceptArgs, encodeAccept } from '../accept-runs.js';
import { weightOf, weightOfRows } from '../call-weight.js';
import type { Accepted } from '../message-store.js';
import type { SpillFile } from '../spill/spill-file.js';
import type { SpilledMessage, SpilledReceipt } from '../spill/spill-target.js';
import { decodeAll, idList, LibsqlStore, type LibsqlStoreOptions, openLink } from './libsql-store.js';
import type { AnswerOf, ArgsOf, CallName } from './store-calls.js';
import type { ThreadLink } from './thread-link.js';

/** Makes the folder and the file when missing, if `create` allows it. */
export async function openSpillFile(options: LibsqlStoreOptions): Promise<SpillFile> {
  const link = await openLink(options);
  return new LibsqlSpill(link, options);
}

class LibsqlSpill extends LibsqlStore implements SpillFile {
  readonly #link: ThreadLink;
  readonly #clock: LibsqlStoreOptions['clock'];

  constructor(link: ThreadLink, options: Pick<LibsqlStoreOptions, 'ids' | 'clock' | 'log'>) {
    super(link, options);
    this.#link = link;
    this.#clock = options.clock;
  }

  override async accept(messages: readonly NewMessage[], ids?: BigInt64Array): Promise<Accepted[]> {
    assert(ids?.length === messages.length, 'spilled messages come with their ids');
    let index = 0;
    const given: MessageIdSource = {
      next() {
        const id = ids[index];
        assert(id !== undefined, 'more messages than ids');
        index += 1;
        return id;
      },
      raiseTo() {},
    };
    const accepted = await this.acceptAs(messages, given);
    return accepted.map((each) => ({ ...each, spilled: true }));
  }

  override async inspect(id: MessageId): Promise<MessageFacts | null> {
    const facts = await super.inspect(id);
    return facts && { ...facts, storedIn: 'spill' };
  }

  async doubles(messages: readonly NewMessage[]): Promise<(Accepted | null)[]> {
    if (messages.every(({ callerId }) => callerId === null)) return messages.map(() => null);
    const steps = encodeAccept(messages, NO_IDS, this.#clock.now());
    const answer = await this.#link.call('spillDoubles', { args: await pausing(steps) }, weightOf(messages));
    const found = await decodeAll(answer);
    return found.map((each) => (each.duplicate ? { ...each, spilled: true } : null));
  }

  async present(ids: readonly MessageId[]): Promise<MessageId[]> {
    return this.#ask('spillPresent', { ids: idList(ids) }, ids.length);
  }

  async waiting(): Promise<number> {
    return this.#ask('spillWaiting', null);
  }

  async slice(after: MessageId, limit: number): Promise<SpilledMessage[]> {
    const { rows, bodies } = await this.#ask('spillSlice', { after, limit });
    return rows.map((row) => ({ ...row, body: bodies.get(row.bodyId) ?? '' }));
  }

  async receipts(id: MessageId, limit: number): Promise<SpilledReceipt[]> {
    return this.#ask('spillReceipts', { id, limit });
  }

  async moved(messages: readonly SpilledMessage[], receipts: readonly SpilledReceipt[]): Promise<void> {
    const rows = messages.map(({ body: _body, ...row }) => row);
    await this.#ask('spillMoved', { messages: rows, receipts }, rows.length + receipts.length);
  }

  async rename(from: MessageId, to: MessageId): Promise<void> {
    await this.#ask('spillRename', { from, to });
  }

  async lease(lease: ArgsOf<'spillLease'>): Promise<boolean> {
    return this.#ask('spillLease', lease);
  }

  #ask<N extends CallName>(name: N, args: ArgsOf<N>, rows = 1): Promise<AnswerOf<N>> {
    return this.#link.call(name, { args }, weightOfRows(rows));
  }
}

const NO_IDS: MessageIdSource = { next: () => 0n, raiseTo() {} };

async function pausing(steps: Generator<void, AcceptArgs>): Promise<AcceptArgs> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await setImmediate();
  }
}
