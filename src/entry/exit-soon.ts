/** Lets what is written be written; a handle that was forgotten must not keep the process for ever. */
export function exitSoon(exitCode: number): void {
  process.exitCode = exitCode;
  setTimeout(() => process.exit(), 2000).unref();
}
