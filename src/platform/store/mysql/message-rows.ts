/** Words for rows of spush_message. */

export const OPEN = 0;
export const SETTLED = 1;
export const READ = 2;

/** A key of a caller or of replacing, with what it is one of. */
export function mapKey(kind: number, uid: number, key: string): string {
  return `${kind} ${uid} ${key}`;
}
