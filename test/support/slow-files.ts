/**
 * Reporter of test files that take long: lists the slowest at the end, and ends one that hangs. A loop without an end in the
 * tested code stops the timers of its test too, so that no limit of a test is ever reached and the whole run would wait.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';
import { noteNoSecondTry } from './no-second-try.js';

const SLOWEST = 15;
/** The longest file takes three minutes. The long forms that scripts of package.json run may take hours. */
const HANGS_MS = process.env['CI'] ? 15 * 60_000 : Number.POSITIVE_INFINITY;
const LOOK_MS = 10_000;

export class SlowFiles implements Reporter {
  readonly #since = new Map<string, number>();
  readonly #took = new Map<string, number>();
  #looking: NodeJS.Timeout | undefined;

  onTestModuleStart({ moduleId }: TestModule): void {
    this.#since.set(moduleId, performance.now());
    this.#looking ??= setInterval(() => this.#look(), LOOK_MS).unref();
  }

  onTestModuleEnd({ moduleId, relativeModuleId }: TestModule): void {
    const since = this.#since.get(moduleId);
    this.#since.delete(moduleId);
    if (since !== undefined) this.#took.set(relativeModuleId, performance.now() - since);
  }

  onTestRunEnd(): void {
    clearInterval(this.#looking);
    const slowest = [...this.#took].sort(([, a], [, b]) => b - a).slice(0, SLOWEST);
    console.log('\nThe slowest files, in seconds:');
    for (const [name, ms] of slowest) console.log(`${(ms / 1000).toFixed(0).padStart(5)}  ${name}`);
  }

  #look(): void {
    for (const [moduleId, since] of this.#since) {
      if (performance.now() - since < HANGS_MS) continue;
      console.error(`${moduleId} hangs: its process is killed`);
      noteNoSecondTry(`${moduleId} hung`);
      this.#since.delete(moduleId);
      for (const pid of testProcesses()) process.kill(pid, 'SIGKILL');
    }
  }
}

/** Processes that run test files, and not the servers that they use. */
function testProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return status.includes(`\nPPid:\t${process.pid}\n`) && command.includes('vitest');
      } catch {
        return false;
      }
    });
}
