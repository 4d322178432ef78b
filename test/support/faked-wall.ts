/**
 * A wall clock that a test sets while real processes run under it: libfaketime, preloaded, reads the difference to the machine's
 * clock from a file. The monotonic clock stays the machine's own, as it does when somebody sets the time.
 */
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const LIBRARY = 'faketime/libfaketimeMT.so.1';
const HINT = 'apt-get install faketime';

/** The path of the library, or null to skip; with SPUSH_TEST_REQUIRE=all a missing one is a failure. */
export function fakedWallLibrary(): string | null {
  const folders = ['/usr/lib', '/usr/local/lib'].filter((folder) => existsSync(folder));
  const all = folders.flatMap((folder) => [
    folder,
    ...readdirSync(folder).map((name) => path.join(folder, name)),
  ]);
  const found = all.map((folder) => path.join(folder, LIBRARY)).find((file) => existsSync(file));
  if (found !== undefined) return found;
  const text = `${LIBRARY} is not there: ${HINT}`;
  if (process.env['SPUSH_TEST_REQUIRE'] === 'all') throw new Error(text);
  console.warn(`skipped: ${text}`);
  return null;
}

export class FakedWall {
  /** For the environment of the processes. */
  readonly env: Readonly<Record<string, string>>;
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'spush-wall-'));
  readonly #file = path.join(this.#folder, 'offset');
  #offsetMs = 0;

  constructor(library: string) {
    this.env = {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_NO_CACHE: '1',
    };
    this.#write();
  }

  /** Unix ms, as the processes read it. */
  now(): number {
    return Date.now() + this.#offsetMs;
  }

  set(unixMs: number): void {
    this.#offsetMs = unixMs - Date.now();
    this.#write();
  }

  step(ms: number): void {
    this.#offsetMs += ms;
    this.#write();
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** As a whole: a process that reads half of it would fall back to the real time for a moment. */
  #write(): void {
    const seconds = this.#offsetMs / 1000;
    writeFileSync(`${this.#file}.new`, `${seconds < 0 ? '' : '+'}${seconds.toFixed(3)}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }
}
