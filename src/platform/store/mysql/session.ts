/** A connection while somebody uses it. */
import type { Statement } from './statements.js';

/** Errors are those of the driver; the callers of connections.ts get SpushErrors. */
export interface Session {
  /** Longest statement the server takes, bytes. */
  readonly packetBytesMax: number;
  rows<Row>(statement: Statement): Promise<Row[]>;
  /** Answers how many rows matched. */
  run(statement: Statement): Promise<number>;
  /** A text of the program's own. */
  exec(sql: string): Promise<void>;
}
