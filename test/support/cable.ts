/**
 * A cable of a test's own, with a client's machine at its far end: a network namespace and a pair of virtual devices. Needs
 * root and `ip`.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { outsideProgram } from './outside-program.js';

/** The path of `ip`, or null to skip. */
export function ipProgram(): string | null {
  const ip = outsideProgram('ip', 'apt-get install iproute2');
  if (ip === null || process.getuid?.() === 0) return ip;
  if (process.env['SPUSH_TEST_REQUIRE'] === 'all') throw new Error('network namespaces need root');
  console.warn('skipped: network namespaces need root');
  return null;
}

export class Cable {
  readonly #ip: string;
  readonly #name: string;
  /** This machine, as the far end sees it. */
  readonly host: string;

  constructor(ip: string) {
    const random = randomBytes(3);
    this.#ip = ip;
    this.#name = `sp${random.toString('hex')}`;
    const subnet = `10.${200 + ((random[0] ?? 0) % 50)}.${random[1]}`;
    this.host = `${subnet}.1`;
    this.#run('netns', 'add', this.#name);
    this.#run('link', 'add', this.#name, 'type', 'veth', 'peer', 'name', 'far', 'netns', this.#name);
    this.#run('address', 'add', `${this.host}/24`, 'dev', this.#name);
    this.#run('link', 'set', this.#name, 'up');
    this.#run('-n', this.#name, 'address', 'add', `${subnet}.2/24`, 'dev', 'far');
    this.#run('-n', this.#name, 'link', 'set', 'far', 'up');
  }

  /** Starts a program of Node at the far end. */
  start(file: string, ...args: readonly string[]): ChildProcess {
    const command = ['netns', 'exec', this.#name, process.execPath, file, ...args];
    return spawn(this.#ip, command, { stdio: ['ignore', 'pipe', 'inherit'] });
  }

  /** Nobody is told: what is sent gets nowhere. */
  pull(): void {
    this.#run('-n', this.#name, 'link', 'set', 'far', 'down');
  }

  /** Programs at the far end have to be ended before. */
  remove(): void {
    this.#run('netns', 'delete', this.#name);
  }

  #run(...args: readonly string[]): void {
    execFileSync(this.#ip, args);
  }
}
