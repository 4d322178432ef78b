/** MySQL stores that spill into one file, as the processes of a node do; for tests. */
import path from 'node:path';
import { systemClock } from '../../src/platform/clock/system-clock.js';
import { silentLog } from '../../src/platform/log/log.js';
import { openSpillFile } from '../../src/platform/store/libsql/libsql-spill.js';
import { type MysqlStoreOptions, openMysqlStore } from '../../src/platform/store/mysql/mysql-store.js';
import type { SpillFile } from '../../src/platform/store/spill/spill-file.js';
import type { SpillTarget } from '../../src/platform/store/spill/spill-target.js';
import { type SpillHooks, SpillingStore } from '../../src/platform/store/spill/spilling-store.js';
import type { Clock } from '../../src/shared/base/clock.js';
import type { MessageItem } from '../../src/shared/domain/message.js';
import { createMessageIdSource, type MessageIdSource } from '../../src/shared/domain/message-id.js';
import type { MariadbAccess } from './own-mariadb.js';
import { tempFolder } from './temp-folder.js';

export interface OpenedSpill {
  readonly store: SpillingStore;
  readonly target: SpillTarget;
  readonly spill: SpillFile;
  /** What would have been published after a move. */
  readonly live: MessageItem[];
}

export interface OpenSpillOptions {
  readonly accepting?: boolean;
  readonly moves?: boolean;
  readonly ids?: MessageIdSource;
  readonly clock?: Clock;
  readonly mysql?: Partial<MysqlStoreOptions>;
}

export class SpillingStores {
  readonly file = path.join(tempFolder({}), 'node.spill.db');
  readonly #access: MariadbAccess;
  readonly #opened: OpenedSpill[] = [];
  #generator = 100;

  constructor(access: MariadbAccess) {
    this.#access = access;
  }

  /** One more process of the node. */
  async open(options: OpenSpillOptions = {}): Promise<OpenedSpill> {
    const { accepting = true, moves = true, clock = systemClock, mysql = {} } = options;
    const ids = options.ids ?? createMessageIdSource(this.#generator++, clock);
    const common = { ids, clock, log: silentLog };
    const target = await openMysqlStore({
      ...this.#access,
      poolSize: 4,
      connectMs: 1000,
      queryMs: 2000,
      ...common,
      ...mysql,
    });
    const spill = await openSpillFile({ file: this.file, ...common });
    const live: MessageItem[] = [];
    const hooks: SpillHooks = { onLive: (items) => live.push(...items), onSpilled() {}, onWaiting() {} };
    const store = new SpillingStore({
      target,
      spill,
      accepting,
      hooks: moves ? hooks : null,
      clock,
      log: silentLog,
      probeMs: 50,
      lookMs: 50,
    });
    const opened = { store, target, spill, live };
    this.#opened.push(opened);
    return opened;
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map(({ store }) => store.close()));
  }
}
