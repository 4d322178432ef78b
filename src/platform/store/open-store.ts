/**
 * The store that the configuration asks for: a file of this machine in PUSHENV 0, a database server else. With `spill` in
 * db.ts, or when an earlier run left something in the spill's file, the server's store has a spill.
 */
import { existsSync } from 'node:fs';
import type { Clock } from '../../shared/base/clock.js';
import { errorText } from '../../shared/base/errors.js';
import type { MessageIdSource } from '../../shared/domain/message-id.js';
import type { Config } from '../config/config-schema.js';
import type { Log } from '../log/log.js';
import type { MessageStore } from './message-store.js';
import type { SpillFile } from './spill/spill-file.js';
import type { SpillTarget } from './spill/spill-target.js';
import type { SpillHooks } from './spill/spilling-store.js';
import { spillPath, storePath } from './store-files.js';

export interface OpenStoreDeps {
  readonly ids: MessageIdSource;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether a store that is not there is made (in a database: its tables), or refused. */
  readonly create: boolean;
  /** So many calls were answered together. */
  readonly onGroup?: (calls: number) => void;
  /** Given by processes that move what was spilled. */
  readonly spillHooks?: SpillHooks;
}

export async function openStore(config: Config, deps: OpenStoreDeps): Promise<MessageStore> {
  const accepting = config.db.spill;
  const { ids, clock, log, create, onGroup, spillHooks = null } = deps;
  const common = { ids, clock, log, create, ...(onGroup ? { onGroup } : {}) };
  // Loaded where they are used: the drivers are large, and each process would hold those it has no use for.
  if (config.env === 0) {
    const { openLibsqlStore } = await import('./libsql/libsql-store.js');
    return openLibsqlStore({ file: storePath(config), ...common });
  }
  const { openMysqlStore } = await import('./mysql/mysql-store.js');
  const { host, port, user, password, database, poolSize, connectMs, queryMs } = config.db;
  const server = { host, port, user, password, database, poolSize, connectMs, queryMs };
  const target = await openMysqlStore({ ...server, ...common });
  const spill = await openSpill(target, spillPath(config), { ...deps, accepting });
  if (spill === null) return target;
  const { SpillingStore } = await import('./spill/spilling-store.js');
  return new SpillingStore({ target, spill, accepting, hooks: spillHooks, clock, log });
}

/** Null when there is to be none. */
async function openSpill(
  target: SpillTarget,
  file: string,
  { ids, clock, log, create, accepting }: OpenStoreDeps & { readonly accepting: boolean },
): Promise<SpillFile | null> {
  if (!accepting && !existsSync(file)) return null;
  const { openSpillFile } = await import('./libsql/libsql-spill.js');
  let spill: SpillFile;
  try {
    spill = await openSpillFile({ file, ids, clock, log, create: create && accepting });
  } catch (error) {
    if (create) {
      await target.close();
      throw error;
    }
    // A process that is started anew while the node runs does its work without: the others need it.
    log.error('spill.unopened', { file, reason: errorText(error) });
    return null;
  }
  const waiting = await spill.waiting();
  if (waiting > 0) log.warn('spill.leftover', { file, waiting });
  if (waiting > 0 || accepting) return spill;
  await spill.close();
  return null;
}
