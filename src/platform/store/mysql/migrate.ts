/**
 * Brings the schema up to the program's version, under a lock of the server: of several processes that start at once the
 * first does it, the others find it done. A schema newer than the program is refused and left as it is.
 */
import { sql } from 'kysely';
import { MIGRATIONS } from './migrations/all-migrations.js';
import type { Migration } from './migrations/migration.js';
import { type MysqlPlace, migrationLocked, schemaNewer, schemaOlder } from './mysql-faults.js';
import { MYSQL, serverCode } from './server-errors.js';
import { withServerLock } from './server-lock.js';
import type { Session } from './session.js';
import { build, written } from './statements.js';

export interface MigrateOptions {
  readonly place: MysqlPlace;
  /** Whether tables may be made and changed, or must be as they should. */
  readonly create: boolean;
  readonly migrations?: readonly Migration[];
  readonly lockSeconds: number;
}

export async function migrate(session: Session, options: MigrateOptions): Promise<void> {
  const { place, create, migrations = MIGRATIONS, lockSeconds } = options;
  const known = migrations.at(-1)?.version ?? 0;
  const before = await versionOf(session);
  if (before > known) throw schemaNewer(place, before, known);
  if (before === known) return;
  if (!create) throw schemaOlder(place, before, known);
  const lock = { purpose: 'migrate', database: place.database, seconds: lockSeconds };
  const done = await withServerLock(session, lock, () => bringUp(session, place, migrations, known));
  if (done === null) throw migrationLocked(place, lockSeconds);
}

async function bringUp(
  session: Session,
  place: MysqlPlace,
  migrations: readonly Migration[],
  known: number,
): Promise<void> {
  await session.exec(
    'CREATE TABLE IF NOT EXISTS spush_schema (version INT UNSIGNED NOT NULL, PRIMARY KEY (version)) ENGINE=InnoDB',
  );
  // Another process may have done it while this one waited.
  const found = await versionOf(session);
  if (found > known) throw schemaNewer(place, found, known);
  for (const { version, statements } of migrations) {
    if (version <= found) continue;
    for (const statement of statements) await session.exec(statement);
    await session.run(build.insertInto('spush_schema').ignore().values({ version }).compile());
  }
}

/** 0 when there is nothing yet. */
async function versionOf(session: Session): Promise<number> {
  try {
    const [row] = await session.rows<{ version: number | null }>(
      written(sql`SELECT MAX(version) AS version FROM spush_schema`),
    );
    return Number(row?.version ?? 0);
  } catch (error) {
    if (serverCode(error) === MYSQL.NO_TABLE) return 0;
    throw error;
  }
}
