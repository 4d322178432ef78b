/**
 * The store that the configuration asks for: a file of this machine in PUSHENV 0, a database server else. With `spill` in
 * db.ts, or when an earlier run left something in the spill's file, the server's store has a spill.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Clock } from '../../shared/base/clock.js';
import { errorText } from '../../shared/base/errors.js';
import type { MessageIdSource } from '../../shared/domain/message-id.js';
import type { Config } from '../config/config-schema.js';
import type { Log } from '../log/log.js';
import { openSpillFile } from './libsql/libsql-spill.js';
import { openLibsqlStore } from './libsql/libsql-store.js';
import type { MessageStore } from './message-store.js';
import { openMysqlStore } from './mysql/mysql-store.js';
import type { SpillFile } from './spill/spill-file.js';
import type { SpillTarget } from './spill/spill-target.js';
import { type SpillHooks, SpillingStore } from './spill/spilling-store.js';

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
  const { file, spill: accepting, ...server } = config.db;
  const { ids, clock, log, create, onGroup, spillHooks = null } = deps;
  const common = { ids, clock, log, create, ...(onGroup ? { onGroup } : {}) };
  if (config.env === 0)
    return openLibsqlStore({ file: file ?? path.join(config.paths.data, `${config.mode}.db`), ...common });
  const target = await openMysqlStore({ ...server, ...common });
  const spill = await openSpill(target, spillPath(config), { ...deps, accepting });
  if (spill === null) return target;
  return new SpillingStore({ target, spill, accepting, hooks: spillHooks, clock, log });
}

export function spillPath({ paths, mode }: Pick<Config, 'paths' | 'mode'>): string {
  return path.join(paths.data, `${mode}.spill.db`);
}

/** Null when there is to be none. */
async function openSpill(
  target: SpillTarget,
  file: string,
  { ids, clock, log, create, accepting }: OpenStoreDeps & { readonly accepting: boolean },
): Promise<SpillFile | null> {
  if (!accepting && !existsSync(file)) return null;
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
