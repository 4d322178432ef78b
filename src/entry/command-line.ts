/** The command line: what was typed → exit code. */
import { Console } from 'node:console';
import { PATIENCE } from '../cli/action.js';
import { PersonAtTerminal } from '../cli/person.js';
import { runCli, tellEarlyEnd } from '../cli/program.js';
import { type OutputStream, Terminal } from '../cli/terminal.js';
import { onReading } from '../platform/config/config-file.js';
import { presentFolder } from '../platform/config/present-folder.js';
import type { RunMasterOptions } from '../platform/instance/run-master.js';
import { type ConsoleStream, consoleStream } from '../platform/log/console-stream.js';
import { packageVersion } from '../platform/program/package-version.js';
import { programFile } from '../platform/program/program-files.js';
import { EXIT, errorText } from '../shared/base/errors.js';
import { exitSoon } from './exit-soon.js';
import { runMaster } from './run-master.js';

/** This process has been a master. */
let served = false;

export async function runCommandLine(): Promise<void> {
  // What bootstrap.ts and conf/ print while they are loaded is no part of a result that a program reads.
  globalThis.console = new Console(process.stderr);
  const argv = process.argv.slice(2);
  const terminal = new Terminal({
    stdout: output('stdout'),
    stderr: output('stderr'),
    env: process.env,
  });
  // A file of the operator that ends this process, or anything else that ends it early, must not look like success.
  let done = false;
  // EPIPE is no fault: in `spush config show | head` the reader has enough. Any other failed write loses the result of a
  // command. A server in the foreground loses only its banner, as its log reports failures of its own.
  let outputFault: Error | null = null;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && !served) outputFault = error;
  });
  let beingRead: string | null = null;
  onReading((file) => {
    beingRead = file;
  });
  process.on('exit', (code) => {
    // A command that ended with a code of its own has said why. A file of the operator that calls process.exit() has not, and
    // its code would be taken for one of ours.
    if (done || (code !== 0 && beingRead === null)) return;
    process.exitCode = tellEarlyEnd(argv, { terminal }, beingRead);
  });
  const exitCode = await runCli(argv, {
    cwd: presentFolder(),
    env: process.env,
    terminal,
    person: new PersonAtTerminal({ input: process.stdin, output: process.stderr }),
    version: packageVersion(),
    mainFile: programFile('main'),
    launchPath: process.argv[1] ?? programFile('main'),
    runMaster: serve,
    patience: PATIENCE,
  });
  done = true;
  // What went wrong with the last writing is told in the next turn.
  await new Promise((resolve) => setImmediate(resolve));
  if (outputFault !== null) {
    process.stderr.write(`the result could not be written: ${errorText(outputFault)}\n`);
    exitSoon(exitCode === EXIT.done ? EXIT.failed : exitCode);
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

function serve(options: RunMasterOptions): Promise<number> {
  served = true;
  return runMaster(options);
}
