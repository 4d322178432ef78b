/** Stores on a database of their own, for tests; everything is closed by `close`, the server goes with its owner. */

import { systemClock } from '../../src/platform/clock/system-clock.js';
import { silentLog } from '../../src/platform/log/log.js';
import type { MessageStore } from '../../src/platform/store/message-store.js';
import { type MysqlStoreOptions, openMysqlStore } from '../../src/platform/store/mysql/mysql-store.js';
import type { Clock } from '../../src/shared/base/clock.js';
import { createMessageIdSource } from '../../src/shared/domain/message-id.js';
import type { MariadbAccess, OwnMariadb } from './own-mariadb.js';

export class MysqlStores {
  readonly access: MariadbAccess;
  readonly #clock: Clock;
  readonly #stores: MessageStore[] = [];
  #generator = 0;

  constructor(access: MariadbAccess, clock: Clock = systemClock) {
    this.access = access;
    this.#clock = clock;
  }

  static async make(
    server: OwnMariadb,
    { clock = systemClock }: { readonly clock?: Clock } = {},
  ): Promise<MysqlStores> {
    return new MysqlStores(await server.makeDatabase(), clock);
  }

  /** One more opener of the same database, with ids of its own generator. */
  async open(options: Partial<MysqlStoreOptions> = {}): Promise<MessageStore> {
    const store = await openMysqlStore({
      ...this.access,
      poolSize: 4,
      connectMs: 1000,
      queryMs: 2000,
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
}
