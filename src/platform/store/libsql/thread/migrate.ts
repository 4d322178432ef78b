/**
 * Brings the schema up to the program's version, under the write lock: of several processes that open the file at once
 * the first does it, the others find it done. A schema newer than the program is refused and left as it is.
 */
import { MIGRATIONS } from '../migrations/all-migrations.js';
import type { Migration } from '../migrations/migration.js';
import type { Database } from './database.js';
import { schemaNewer, storeForeign } from './store-faults.js';

/** Marks our files (PRAGMA application_id): "spsh". */
export const APPLICATION_ID = 0x73707368;

export interface MigrateOptions {
  readonly file: string;
  readonly migrations?: readonly Migration[];
}

/** Call inside BEGIN IMMEDIATE. */
export function migrate(db: Database, { file, migrations = MIGRATIONS }: MigrateOptions): void {
  const known = migrations.at(-1)?.version ?? 0;
  const found = Number(db.value('PRAGMA user_version'));
  if (found > known) throw schemaNewer(file, found, known);
  for (const { version, sql } of migrations) {
    if (version <= found) continue;
    db.exec(sql);
    db.exec(`PRAGMA user_version = ${version}`);
  }
  if (found < known) db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
}

/** Nothing of another program is touched, not even its journal mode. */
export function assertOurs(db: Database, file: string): void {
  if (db.value('PRAGMA application_id') === APPLICATION_ID) return;
  if (db.value('SELECT count(*) FROM sqlite_schema') !== 0) throw storeForeign(file);
}
