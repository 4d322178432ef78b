/**
 * Starts a master that lives on when the command has ended: own session, its output appended to Log/{mode}.log. Resolves
 * when the master says that everything listens; rejects with what the master said, or with the end of its log when it
 * died without a word. In that case nothing of it is left.
 */
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { execa } from 'execa';
import { factsOf, identityIn } from '../platform/instance/process-identity.js';
import type { MasterInfo } from '../platform/instance/run-master.js';
import type { KnownProcess } from '../platform/instance/signal-process.js';
import { type StartOrder, startReportSchema } from '../platform/instance/start-report.js';
import { LOG_FILE_MODE, LOG_FOLDER_MODE } from '../platform/log/log-file.js';
import { isErrorCode, SpushError } from '../shared/base/errors.js';
import { masterTitle } from '../shared/domain/role.js';
import { killTree, waitGone } from './process-tree.js';

/** A master that reported its failure only has to exit. */
const EXIT_MS = 10_000;
const LOG_TAIL_BYTES = 4096;

export interface DetachedStartOptions {
  /** The main file of a build. */
  readonly mainFile: string;
  /** The executable as it was called. */
  readonly launchPath: string;
  readonly mode: string;
  /** Of the command line, by path of the key; the master is told them, as everybody can read a command line. */
  readonly settings: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  /** For everything to be ready. */
  readonly deadlineMs: number;
}

type Outcome =
  | { readonly kind: 'ready'; readonly info: MasterInfo }
  | { readonly kind: 'failed'; readonly error: SpushError }
  | { readonly kind: 'ended'; readonly how: string }
  | { readonly kind: 'late' };

export async function startDetached(options: DetachedStartOptions): Promise<MasterInfo> {
  const log = await openLogFile(options.logFile);
  try {
    return await startWith(log, options);
  } finally {
    await log?.close();
  }
}

async function startWith(log: FileHandle | null, options: DetachedStartOptions): Promise<MasterInfo> {
  const logStart = (await log?.stat())?.size ?? 0;
  // A channel in stdio, not execa's `ipc`: that one would keep this process waiting for further messages.
  const output = log?.createWriteStream({ autoClose: false }) ?? 'ignore';
  // The title is there so that `ps` tells who it is from the first moment, and so that there is room for it.
  const words = [options.mainFile, 'master', masterTitle(options.mode)];
  const child = execa(process.execPath, words, {
    cwd: options.cwd,
    env: options.env,
    extendEnv: false,
    detached: true,
    stdio: ['ignore', output, output, 'ipc'],
    reject: false,
    cleanup: false,
    buffer: false,
  });
  // Not collected before its end is heard of, so the number is its own.
  const started = child.pid === undefined ? null : knownProcess(child.pid);
  const { mode, settings, launchPath } = options;
  giveOrder(child, { t: 'start', mode, settings, launchPath });
  const outcome = await firstOf(child, options.deadlineMs);
  switch (outcome.kind) {
    case 'ready':
      if (child.connected) child.disconnect();
      child.unref();
      return outcome.info;
    case 'failed':
      await endTree(started, EXIT_MS);
      throw outcome.error;
    case 'ended':
      throw new SpushError(
        'START_FAILED',
        `the master ${outcome.how} before it was ready; ${await lastWords(log, options.logFile, logStart)}`,
      );
    case 'late':
      await endTree(started, 0);
      throw new SpushError(
        'START_FAILED',
        `the master was not ready in ${options.deadlineMs} ms and was ended; ${await lastWords(log, options.logFile, logStart)}`,
      );
  }
}

/** The parts of a started program that are used. */
interface StartedProgram {
  send?(message: StartOrder, callback: () => void): unknown;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'exit', listener: (code: number | null, signal: NodeJS.Signals | null) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

function giveOrder(child: StartedProgram, order: StartOrder): void {
  // That it ended before it could read this is heard of elsewhere.
  child.send?.(order, () => {});
}

function firstOf(child: StartedProgram, deadlineMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ kind: 'late' }), deadlineMs);
    const settle = (outcome: Outcome) => {
      clearTimeout(timer);
      resolve(outcome);
    };
    child.on('message', (message) => {
      const report = startReportSchema.safeParse(message);
      // Anything else on the channel is not for us.
      if (!report.success) return;
      const { data } = report;
      if (data.t === 'ready') settle({ kind: 'ready', info: data });
      else settle({ kind: 'failed', error: reported(data) });
    });
    child.on('error', (error) => settle({ kind: 'ended', how: `could not be started (${error.message})` }));
    child.on('exit', (code, signal) =>
      settle({ kind: 'ended', how: signal ? `was ended by ${signal}` : `ended with code ${code}` }),
    );
  });
}

function reported({ code, message }: { code: string; message: string }): SpushError {
  return new SpushError(isErrorCode(code) ? code : 'START_FAILED', message);
}

/** Gives it time to go by itself, then makes sure. */
async function endTree(started: KnownProcess | null, graceMs: number): Promise<void> {
  if (started === null) return;
  if (graceMs > 0 && (await waitGone([started], { deadlineMs: graceMs })).length === 0) return;
  await killTree(started, { deadlineMs: EXIT_MS });
}

function knownProcess(pid: number): KnownProcess | null {
  const facts = factsOf(pid);
  return facts === null ? null : { identity: identityIn(facts), uid: facts.uid, title: null };
}

/** Null: it cannot be opened. The server starts without, and says so: nothing is delivered by a log. */
async function openLogFile(file: string): Promise<FileHandle | null> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: LOG_FOLDER_MODE });
    return await open(file, 'a+', LOG_FILE_MODE);
  } catch {
    return null;
  }
}

/** What was written to the log since the start, the end of it. */
async function lastWords(log: FileHandle | null, file: string, from: number): Promise<string> {
  if (log === null) return `its log ${file} cannot be opened; without -d it says more`;
  const { size } = await log.stat();
  const start = Math.max(from, size - LOG_TAIL_BYTES);
  const { buffer, bytesRead } = await log.read(Buffer.alloc(LOG_TAIL_BYTES), 0, LOG_TAIL_BYTES, start);
  const text = buffer.subarray(0, bytesRead).toString('utf8').trim();
  return text === '' ? `it wrote nothing to ${file}` : `the end of ${file}:\n${text}`;
}
