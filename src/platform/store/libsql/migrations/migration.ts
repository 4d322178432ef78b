/** One step of the schema. A released step never changes; a new one is a new numbered file, listed in all-migrations.ts. */
export interface Migration {
  /** PRAGMA user_version after it. */
  readonly version: number;
  readonly sql: string;
}
