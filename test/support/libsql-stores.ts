/** Embedded stores on a file of their own, for tests; everything is closed and deleted by `dispose`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/platform/clock/system-clock.js';
import { silentLog } from '../../src/platform/log/log.js';
import { type LibsqlStoreOptions, openLibsqlStore } from '../../src/platform/store/libsql/libsql-store.js';
import type { MessageStore } from '../../src/platform/store/message-store.js';
import type { Clock } from '../../src/shared/base/clock.js';
import { createMessageIdSource } from '../../src/shared/domain/message-id.js';

export class LibsqlStores {
  readonly folder: string;
  readonly file: string;
  readonly #clock: Clock;
  readonly #stores: MessageStore[] = [];
  #generator = 0;

  private constructor(folder: string, clock: Clock) {
    this.folder = folder;
    this.file = join(folder, 'Data', 'store.db');
    this.#clock = clock;
  }

  static async make({ clock = systemClock }: { readonly clock?: Clock } = {}): Promise<LibsqlStores> {
    return new LibsqlStores(await mkdtemp(join(tmpdir(), 'spush-store-')), clock);
  }

  /** One more opener of the same file, with ids of its own generator. */
  async open(options: Partial<LibsqlStoreOptions> = {}): Promise<MessageStore> {
    const store = await openLibsqlStore({
      file: this.file,
      ids: createMessageIdSource(this.#generator++, this.#clock),
      clock: this.#clock,
      log: silentLog,
      ...options,
    });
    this.#stores.push(store);
    return store;
  }

  async close(): Promise<void> {
    await Promise.all(this.#stores.splice(0).map((store) => store.close()));
  }

  async dispose(): Promise<void> {
    await this.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
