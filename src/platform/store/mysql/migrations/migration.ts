/**
 * One step of the schema. A released step never changes; a new one is a new numbered file, listed in all-migrations.ts.
 *
 * MySQL commits at every CREATE and ALTER, so a step that is cut short stays half done and is run again from its first
 * statement: each statement must do no harm when it was done before.
 */
export interface Migration {
  /** Stands in spush_schema after it. */
  readonly version: number;
  readonly statements: readonly string[];
}
