/** ISO 8601 of Unix ms. */
export function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
