/** How lists of names differ: those of own jobs and tasks before and after `bootstrap.ts` was edited. */
import * as z from 'zod';

const namesSchema = z.array(z.string()).default([]);

export const nameChangesSchema = z
  .object({ added: namesSchema, removed: namesSchema, changed: namesSchema })
  .prefault({});
export type NameChangesRow = z.infer<typeof nameChangesSchema>;

/** `added Night, Day, removed Old`; `unchanged` when nothing differs. */
export function nameChangesText(
  changes: {
    readonly [What in keyof NameChangesRow]: readonly string[];
  },
): string {
  const parts = Object.entries(changes).filter(([, names]) => names.length > 0);
  return parts.map(([what, names]) => `${what} ${names.join(', ')}`).join(', ') || 'unchanged';
}
