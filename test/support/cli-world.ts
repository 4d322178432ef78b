/** A world for the command line: what it writes is kept, what it starts is given. */
import path from 'node:path';
import { type CliContext, PATIENCE } from '../../src/cli/action.js';
import type { Person } from '../../src/cli/person.js';
import { runCli } from '../../src/cli/program.js';
import { Terminal } from '../../src/cli/terminal.js';
import { tempFolder } from './temp-folder.js';

export interface CliWorldOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly files?: Readonly<Record<string, string>>;
  readonly runMaster?: CliContext['runMaster'];
  readonly mainFile?: string;
  readonly launchPath?: string;
  readonly patience?: Partial<CliContext['patience']>;
  /** What the person answers, one for each question; without it nobody is there to be asked. */
  readonly answers?: readonly string[];
  /** Waits after which Ctrl-C is pressed. */
  readonly waits?: number;
  /** Where the commands are typed, by default in the folder of the instance; null: it has been removed. */
  readonly cwd?: string | null;
  /** Columns of the terminal; without it the output is no terminal. */
  readonly columns?: number;
}

export interface CliResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliWorld {
  readonly root: string;
  run(...argv: string[]): Promise<CliResult>;
  /** What the command under way, or the last one, has written so far. */
  written(): Pick<CliResult, 'stdout' | 'stderr'>;
  /** Path in the folder of the instance. */
  path(...parts: string[]): string;
}

export function cliWorld(options: CliWorldOptions = {}): CliWorld {
  const root = tempFolder({ 'bootstrap.ts': 'export const PUSHENV = 0;', ...options.files });
  const env = { PATH: process.env['PATH'], ...options.env };
  let written = { stdout: '', stderr: '' };
  return {
    root,
    written: () => ({ ...written }),
    path: (...parts) => path.join(root, ...parts),
    run: async (...argv) => {
      written = { stdout: '', stderr: '' };
      const stream = (name: 'stdout' | 'stderr') => ({
        isTTY: options.columns !== undefined,
        columns: options.columns,
        write: (text: string) => {
          written[name] += text;
        },
      });
      const exitCode = await runCli(argv, {
        cwd: options.cwd === undefined ? root : options.cwd,
        env,
        terminal: new Terminal({ stdout: stream('stdout'), stderr: stream('stderr'), env }),
        person: fakePerson(options, (text) => {
          written.stderr += text;
        }),
        version: '1.2.3',
        mainFile: options.mainFile ?? '/no/such/main.js',
        launchPath: options.launchPath ?? '/no/such/bin/spush.js',
        patience: { ...PATIENCE, ...options.patience },
        runMaster: options.runMaster ?? (() => Promise.reject(new Error('no master was expected'))),
      });
      return { exitCode, ...written };
    },
  };
}

function fakePerson({ answers, waits = 0 }: CliWorldOptions, write: (text: string) => void): Person {
  const left = [...(answers ?? [])];
  let waited = 0;
  return {
    present: answers !== undefined,
    ask: (question) => {
      write(`${question}\n`);
      return Promise.resolve(left.shift() ?? '');
    },
    waitUnlessInterrupted: () => {
      waited += 1;
      return Promise.resolve(waited <= waits);
    },
  };
}
