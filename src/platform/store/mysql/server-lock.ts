/** A lock of the server that one process of all nodes holds; it goes with its connection, so nobody who died keeps it. */
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { spoilsConnection } from './server-errors.js';
import type { Session } from './session.js';
import { written } from './statements.js';

export interface ServerLock {
  readonly purpose: string;
  readonly database: string;
  /** How long it is waited for. */
  readonly seconds: number;
}

/** Null when another process has it. */
export async function withServerLock<T>(
  session: Session,
  { purpose, database, seconds }: ServerLock,
  work: () => Promise<T>,
): Promise<{ readonly value: T } | null> {
  const name = lockName(purpose, database);
  const [row] = await session.rows<{ got: number | string | null }>(
    written(sql`SELECT GET_LOCK(${name}, ${sql.lit(seconds)}) AS got`),
  );
  if (Number(row?.got) !== 1) return null;
  const unlock = () => session.rows(written(sql`SELECT RELEASE_LOCK(${name})`));
  try {
    const value = await work();
    await unlock();
    return { value };
  } catch (error) {
    // A connection that is thrown away lets go of it by itself, and may not answer any more.
    if (!spoilsConnection(error)) await unlock();
    throw error;
  }
}

/** Locks belong to all databases of a server, so the name of ours is part of theirs; 64 characters at most. */
function lockName(purpose: string, database: string): string {
  return `spush.${purpose}.${createHash('sha256').update(database).digest('hex').slice(0, 32)}`;
}
