/**
 * Every spush process starts here: role → assemble → run → exit code. A word that only spush itself gives says the role:
 * `child ROLE` for a process of the master, `master` for a master in the background (what it is started with is told over
 * the channel); everything else is the command line.
 * Roles are loaded one by one: no process reads the code of another.
 */
import { Console } from 'node:console';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { PATIENCE } from './cli/action.js';
import { PersonAtTerminal } from './cli/person.js';
import { readMasterArguments, runCli } from './cli/program.js';
import { type OutputStream, Terminal } from './cli/terminal.js';
import { loadConfig } from './platform/config/load-config.js';
import { packageVersion } from './platform/config/package-version.js';
import { readServiceManager } from './platform/config/service-manager.js';
import type { RunMasterOptions } from './platform/instance/run-master.js';
import { type StartReport, startOrderSchema } from './platform/instance/start-report.js';
import { type ConsoleStream, consoleStream } from './platform/log/console-stream.js';
import { EXIT, errorText, isSpushError } from './shared/base/errors.js';

const [first, ...rest] = process.argv.slice(2);
// Whoever types these words has no channel to a parent, and is told by the command line that it does not know them.
const spawned = process.send !== undefined;

/** This process has been a master. */
let served = false;

// What reads our output, and who started us, may go at any moment; that ends nothing.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

if (spawned && first === 'child') await runChild(rest[0]);
else if (spawned && first === 'master') await runInBackground();
else await runCommandLine();

async function runChild(role: string | undefined): Promise<void> {
  const exitCode = await startChild(role);
  process.exit(exitCode);
}

async function startChild(role: string | undefined): Promise<number> {
  switch (role) {
    case 'worker':
      return load<typeof import('./worker/worker.js')>('./worker/worker.js').runWorker();
    case 'task':
      return load<typeof import('./task/task.js')>('./task/task.js').runTask();
    case 'crontab':
      return load<typeof import('./crontab/crontab.js')>('./crontab/crontab.js').runCrontab();
    default:
      throw new Error(`no process has the role ${role}`);
  }
}

/** Reports once to the command that waits, then goes on without it. */
async function runInBackground(): Promise<void> {
  const report = (message: StartReport) =>
    new Promise<void>((resolve) => {
      if (!process.connected) return resolve();
      // The other side may go at any moment; then there is nobody to tell.
      process.send?.(message, () => resolve());
    });
  let ready = false;
  process.once('disconnect', () => {
    // The command that waits was interrupted: a server that nobody knows of must not stay.
    if (!ready) process.kill(process.pid, 'SIGTERM');
  });
  try {
    const order = startOrderSchema.parse(await firstMessage());
    const loadOptions = readMasterArguments(order.args, { cwd: process.cwd(), env: process.env });
    const { config } = await loadConfig(loadOptions);
    const exitCode = await runMaster({
      config,
      loadOptions,
      // The file has it all; standard output is the same file, for what the runtime itself says at a bad end.
      console: 'none',
      version: packageVersion(),
      onReady: (info) => {
        ready = true;
        void report({ t: 'ready', ...info, warnings: [...info.warnings] }).then(() => {
          if (process.connected) process.disconnect();
        });
      },
    });
    exitSoon(exitCode);
  } catch (error) {
    const expected = isSpushError(error);
    if (!expected) console.error(error);
    const exitCode = expected ? error.exitCode : EXIT.failed;
    if (!ready) {
      ready = true;
      await report({
        t: 'failed',
        code: expected ? error.code : 'INTERNAL',
        message: errorText(error),
        exitCode,
      });
    } else if (expected) {
      console.error(error.message);
    }
    exitSoon(exitCode);
  }
}

function firstMessage(): Promise<unknown> {
  return new Promise((resolve) => process.once('message', resolve));
}

async function runCommandLine(): Promise<void> {
  // What bootstrap.ts and conf/ print while they are loaded is no part of a result that a program reads.
  globalThis.console = new Console(process.stderr);
  // A file of the operator that ends this process, or anything else that ends it early, must not look like success.
  let done = false;
  // `spush config show | head`: whoever read our output has enough. But a result that could not be written is none; of a
  // server in the foreground only its banner is lost, and its log has its own ways.
  let outputFault: Error | null = null;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && !served) outputFault = error;
  });
  process.on('exit', (code) => {
    if (done || code !== 0) return;
    process.exitCode = EXIT.failed;
    process.stderr.write(
      'spush ended before the command was done: something that was loaded ended the process\n',
    );
  });
  const exitCode = await runCli(process.argv.slice(2), {
    cwd: process.cwd(),
    env: process.env,
    terminal: new Terminal({ stdout: output('stdout'), stderr: output('stderr'), env: process.env }),
    person: new PersonAtTerminal({ input: process.stdin, output: process.stderr }),
    version: packageVersion(),
    mainFile: fileURLToPath(import.meta.url),
    runMaster,
    patience: PATIENCE,
  });
  done = true;
  // What went wrong with the last writing is told in the next turn.
  await new Promise((resolve) => setImmediate(resolve));
  if (exitCode === EXIT.done && outputFault !== null) {
    process.stderr.write(`the result could not be written: ${errorText(outputFault)}\n`);
    exitSoon(EXIT.failed);
  } else exitSoon(exitCode);
}

/** What a master prints must not make it wait for its terminal; the result of a command must come out whole. */
function output(name: 'stdout' | 'stderr'): OutputStream {
  let ofMaster: ConsoleStream | null = null;
  return {
    get isTTY() {
      return process[name].isTTY;
    },
    get columns() {
      return process[name].columns;
    },
    write(text) {
      if (!served) return process[name].write(text);
      ofMaster ??= consoleStream(name, null);
      return ofMaster.write(text);
    },
  };
}

async function runMaster(options: RunMasterOptions): Promise<number> {
  served = true;
  return load<typeof import('./master/master.js')>('./master/master.js').runMaster(options, {
    serviceManager: readServiceManager(process.env, process.pid),
  });
}

/**
 * One file after the other. `import()` opens all files of a role at once, more than 256, and then a process that may not
 * have so many open cannot start.
 */
function load<Module>(file: string): Module {
  return createRequire(import.meta.url)(file) as Module;
}

/** Lets what is written be written; a handle that was forgotten must not keep the process for ever. */
function exitSoon(exitCode: number): void {
  process.exitCode = exitCode;
  setTimeout(() => process.exit(), 2000).unref();
}
