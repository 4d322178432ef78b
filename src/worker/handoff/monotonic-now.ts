/** Milliseconds with fractions of a clock that all processes of one machine share and that nobody sets. */
export function monotonicNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
