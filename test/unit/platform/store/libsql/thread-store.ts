/** The inside of a store thread without the thread: a connection, its operations and its group commit, for tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../../../src/platform/clock/system-clock.js';
import { encodeAccept } from '../../../../../src/platform/store/accept-runs.js';
import type { Answer, ArgsOf, Call, CallName } from '../../../../../src/platform/store/libsql/store-calls.js';
import { openConnection } from '../../../../../src/platform/store/libsql/thread/connection.js';
import { Database } from '../../../../../src/platform/store/libsql/thread/database.js';
import { createGroupCommit } from '../../../../../src/platform/store/libsql/thread/group-commit.js';
import { createOperations } from '../../../../../src/platform/store/libsql/thread/operations.js';
import { StoreFile } from '../../../../../src/platform/store/libsql/thread/store-file.js';
import type { NewMessage } from '../../../../../src/shared/domain/message.js';

export class ThreadStore {
  readonly folder = mkdtempSync(join(tmpdir(), 'spush-thread-'));
  readonly path = join(this.folder, 'store.db');
  readonly file = new StoreFile(this.path);
  readonly db = openConnection(this.file, { create: true, lockWaitMs: 1000 }).db;
  readonly operations = createOperations(this.db, this.path);
  readonly groups = createGroupCommit(this.db, this.file, this.operations, { lockWaitMs: 0 });
  #seq = 0;
  #id = 1_600_000_000_000_000_000n;

  call<N extends CallName>(name: N, args: ArgsOf<N>): Call<N> {
    this.#seq += 1;
    return { seq: this.#seq, name, args, rows: 1, bytes: 1, calledAt: systemClock.moment() };
  }

  /** A call that accepts `count` messages of one user; `id`: with this id instead of a new one. */
  accept(
    uid: number,
    { count = 1, content = 'c', id }: { count?: number; content?: string; id?: bigint } = {},
  ) {
    const ids = { next: () => id ?? this.nextId(), raiseTo() {} };
    const messages = Array.from({ length: count }, (_, i) => newMessage(uid, `${content}${i}`));
    const encoding = encodeAccept(messages, ids, 0);
    for (;;) {
      const step = encoding.next();
      if (step.done) return this.call('accept', step.value);
    }
  }

  nextId(): bigint {
    this.#id += 1n;
    return this.#id;
  }

  /** Another connection to the same file. */
  other(): Database {
    return new Database(this.path, false);
  }

  /** How many messages another connection sees of a user. */
  stored(uid: number): number {
    return this.operations.unread({ uid, now: 0 }).total;
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true });
  }
}

export function newMessage(uid: number, content = 'c'): NewMessage {
  return {
    kind: 'comment',
    uid,
    title: 't',
    content,
    url: null,
    data: null,
    callerId: null,
    collapse: null,
    deliver: 'now',
    createdAt: 1,
    expiresAt: 1_000_000,
  };
}

export const outcomes = (answers: readonly Answer[]): boolean[] => answers.map(({ ok }) => ok);

export function failureOf(answer: Answer | undefined): { code: string; text: string } | null {
  return answer === undefined || answer.ok ? null : answer.failure;
}
