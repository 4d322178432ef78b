/**
 * Reads the configuration of a running server again: for a reload, or to tell what a reload would read. The files are programs
 * of the operator, which may wait, loop, end their process, use up its memory, or leave something behind; a server that runs
 * must not suffer from that. So they are read in a thread that is ended afterwards, and after a deadline in any case.
 */
import { dirname } from 'node:path';
import { errorText, SpushError } from '../../shared/base/errors.js';
import { programFile } from '../program/program-files.js';
import { goneProgram, startProgramThread } from '../program/program-thread.js';
import { type ConfigFault, configInvalid } from './config-fault.js';
import { type LoadedConfig, type LoadOptions, loadConfig } from './load-config.js';
import { fromCopy, type LoadedCopy } from './loaded-copy.js';
import { READING_MS } from './reading-time.js';

/** For the thread to start, and to tell of a file that is not read in time. */
const THREAD_MS = 2000;
export const READ_AGAIN_MS = READING_MS + THREAD_MS;
const HEAP_MB_MAX = 256;
const PROGRAM = dirname(programFile('read-again-thread'));

export type ReadAgain = { readonly ok: true; readonly loaded: LoadedConfig } | NotRead;

interface NotRead {
  readonly ok: false;
  readonly fault: ReadFault;
  /** In detail; none when they could not be read. */
  readonly faults: readonly ConfigFault[];
}

/** refused: they are faulty, and a reload would say so; notRead: nothing can be said of them. */
interface ReadFault {
  readonly kind: 'refused' | 'notRead';
  readonly text: string;
}

export interface ReadAgainData {
  readonly options: LoadOptions;
}

/** What the thread says; the last one is not `reading`. */
export type ReadAgainMessage =
  | { readonly t: 'reading'; readonly file: string | null }
  | { readonly t: 'loaded'; readonly copy: LoadedCopy }
  | { readonly t: 'refused'; readonly faults: readonly ConfigFault[] }
  | { readonly t: 'failed'; readonly text: string };

/** Never rejects: that the files cannot be read is an answer too. */
export async function readAgain(options: LoadOptions, deadlineMs = READ_AGAIN_MS): Promise<ReadAgain> {
  try {
    return await readInThread(options, deadlineMs);
  } catch (error) {
    // The thread could not be started.
    return notRead(errorText(error));
  }
}

function readInThread(options: LoadOptions, deadlineMs: number): Promise<ReadAgain> {
  const env = { ...options.env };
  const workerData: ReadAgainData = { options: { ...options, env } };
  return new Promise((resolve) => {
    // What the files print is not part of the server's own output.
    const thread = startProgramThread('read-again-thread', {
      name: 'spush-read-again',
      workerData,
      env,
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
    });
    let file: string | null = null;
    const settle = (read: ReadAgain): void => {
      clearTimeout(timer);
      void thread.terminate();
      resolve(read);
    };
    /** What goes wrong while a file is run is a fault of that file. @param what said of it, or of all of them */
    const fail = (what: string): void =>
      settle(
        file === null
          ? notRead(`the files could not be read: one of them ${what}`)
          : refused([{ where: file, key: null, problem: what, expected: null }]),
      );
    const timer = setTimeout(
      () => fail(`was not read within ${deadlineMs} ms; is there something in it that never ends?`),
      deadlineMs,
    );
    thread.stdout.resume();
    thread.stderr.resume();
    thread.on('message', (message: ReadAgainMessage) => {
      switch (message.t) {
        case 'reading':
          file = message.file;
          return;
        case 'loaded':
          return settle({ ok: true, loaded: fromCopy(message.copy) });
        case 'refused':
          return settle(refused(message.faults));
        case 'failed':
          return settle(notRead(message.text));
      }
    });
    thread.on('error', (error) => {
      const gone = goneProgram('read-again-thread');
      if (gone !== null) return settle(notRead(gone));
      file = placeOf(error) ?? file;
      fail(`cannot be read: ${errorText(error)}`);
    });
    thread.on('exit', () => fail('calls process.exit() while it is read'));
  });
}

/**
 * For a reload; throws CONFIG_INVALID with all faults. Where the build that this process runs from has been removed there is no
 * thread to start, and the files are read here, or else no reload could bring the new build.
 */
export async function loadApart(options: LoadOptions): Promise<LoadedConfig> {
  if (goneProgram('read-again-thread') !== null) return loadConfig(options);
  const read = await readAgain(options);
  if (read.ok) return read.loaded;
  if (read.fault.kind === 'refused') throw configInvalid(read.faults);
  throw new SpushError('RELOAD_FAILED', `the configuration could not be read: ${read.fault.text}`);
}

/** Where in a file of the operator it was thrown: what comes later (a timer) is thrown while another file is read. */
function placeOf({ stack }: Error): string | null {
  const places = [...(stack ?? '').matchAll(/(?<=[\s(]|file:\/\/)(\/[^\s():]+):(\d+)/g)];
  const own = places.find(([, path = '']) => !path.includes('/node_modules/') && dirname(path) !== PROGRAM);
  return own === undefined ? null : `${own[1]}:${own[2]}`;
}

function refused(faults: readonly ConfigFault[]): NotRead {
  return { ok: false, fault: { kind: 'refused', text: configInvalid(faults).message }, faults };
}

function notRead(text: string): NotRead {
  return { ok: false, fault: { kind: 'notRead', text }, faults: [] };
}
