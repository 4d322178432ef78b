/** Where messages are kept, without opening anything: the files of a store, and the store in words. */
import path from 'node:path';
import type { Config } from '../config/config-schema.js';

type Place = Pick<Config, 'paths' | 'mode'>;

/** The embedded store of PUSHENV 0. */
export function storePath({ paths, mode, db }: Place & Pick<Config, 'db'>): string {
  return db.file ?? ownStorePath({ paths, mode });
}

/** Where it is unless `db.file` says otherwise. */
export function ownStorePath({ paths, mode }: Place): string {
  return path.join(paths.data, `${mode}.db`);
}

/** What waits for the database in PUSHENV 1 and 2. */
export function spillPath({ paths, mode }: Place): string {
  return path.join(paths.data, `${mode}.spill.db`);
}

/** For people. */
export function storeText(config: Place & Pick<Config, 'db' | 'env'>): string {
  const { env, db } = config;
  if (env === 0) return `the file ${storePath(config)}`;
  return `the database ${db.database} at ${db.host}:${db.port}`;
}
