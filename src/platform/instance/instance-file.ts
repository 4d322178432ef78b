/**
 * The files by which one instance (mode) is found: `Temp/{mode}.pid`, the plain number for people and old scripts, and
 * `Temp/{mode}.master.json`, the identity of the master. The second one is the ownership among masters that do not see each
 * other's claims (mode-claim.ts): it is made with link(2), so that of many that start at once exactly one gets it, and
 * nobody ever sees half of it.
 *
 * What the files say is believed only when nobody else could have written them (file-trust.ts) and the process they name is
 * that user's and calls itself the master of this mode. The kernel's claim counts before the files: it is there also when
 * somebody has removed them.
 */

import { basename } from 'node:path';
import { errorText, SpushError } from '../../shared/base/errors.js';
import { masterTitle } from '../../shared/domain/role.js';
import { systemClock } from '../clock/system-clock.js';
import type { Paths } from '../config/config-schema.js';
import {
  isCode,
  linkIfFree,
  moveOver,
  readIfThere,
  setAside,
  unlinkIfThere,
  whatIsWrong,
  writeWhole,
} from './atomic-files.js';
import { trustedOwner, UntrustedFile } from './file-trust.js';
import { claimAfter } from './instance-claim.js';
import { MeaninglessFile } from './meaningless-file.js';
import { findHolder } from './mode-claim.js';
import {
  factsOf,
  identityIn,
  identityOf,
  isAlive,
  isElsewhere,
  isHidden,
  type ProcessIdentity,
  processIdentitySchema,
  sameProcess,
} from './process-identity.js';
import type { KnownProcess } from './signal-process.js';
import { whoListens } from './unix-listener.js';

export type InstancePaths = Pick<Paths, 'pidFile' | 'socket' | 'home'>;

export type Instance =
  | { readonly state: 'none' }
  | { readonly state: 'running'; readonly pid: number; readonly master: KnownProcess }
  /** The files are there, the process is not, or its number belongs to another program now. */
  | { readonly state: 'stale'; readonly pid: number; readonly identity: ProcessIdentity | null }
  /** It runs where its number means nothing to us: in a container that shares the folder. */
  | { readonly state: 'elsewhere'; readonly pid: number; readonly identity: ProcessIdentity }
  /** What is in the files says nothing, or is not to be believed: what a loss of power or a stranger has left. */
  | {
      readonly state: 'broken';
      readonly files: readonly { readonly file: string; readonly reason: string }[];
      readonly reason: string;
      /** It makes sense, but others could have written it. */
      readonly isUntrusted: boolean;
    }
  /** The files belong to somebody else. */
  | { readonly state: 'denied'; readonly reason: string };

export interface WriteInstanceOptions {
  /** The owner; by default this process. */
  readonly owner?: ProcessIdentity;
  /** Unix ms, for the names of files that are set aside. */
  readonly now?: number;
}

export interface WrittenInstance {
  readonly owner: ProcessIdentity;
  /** Files that made no sense and were moved out of the way, in words. */
  readonly setAside: readonly string[];
}

export function instanceFileOf({ pidFile }: Pick<InstancePaths, 'pidFile'>): string {
  return pidFile.replace(/\.pid$/, '.master.json');
}

/** Whether a master of this mode runs: by the kernel's claim, and by the files where there is none. */
export async function readInstance(paths: InstancePaths): Promise<Instance> {
  const holder = await findHolder({ home: paths.home, mode: modeOf(paths) });
  if (holder) return { state: 'running', pid: holder.identity.pid, master: holder };
  return readInstanceFiles(paths);
}

/** What the files alone say. */
export async function readInstanceFiles(paths: InstancePaths): Promise<Instance> {
  try {
    const byIdentity = await orBroken(instanceFileOf(paths), () => judgeIdentityFile(paths));
    if (byIdentity.state !== 'none' && byIdentity.state !== 'broken') return byIdentity;
    // Without an identity the plain number must do, and what its process calls itself.
    const byNumber = await orBroken(paths.pidFile, () => judgePidFile(paths));
    if (byIdentity.state === 'none' || byNumber.state === 'running') return byNumber;
    if (byNumber.state !== 'broken') return byIdentity;
    return { ...byIdentity, files: [...byIdentity.files, ...byNumber.files] };
  } catch (error) {
    if (!isCode(error, 'EACCES', 'EPERM')) throw error;
    return { state: 'denied', reason: errorText(error) };
  }
}

/**
 * Makes this process the owner of the mode in the files. A stale owner is replaced, what makes no sense is set aside as long
 * as nobody listens on the control socket; a living one is left alone: ALREADY_RUNNING. The folder must exist.
 */
export async function writeInstance(
  paths: InstancePaths,
  options: WriteInstanceOptions = {},
): Promise<WrittenInstance> {
  const owner = options.owner ?? ownIdentity();
  const file = instanceFileOf(paths);
  const draft = `${file}.new-${owner.pid}-${owner.startTicks}`;
  await writeWhole(draft, identityText(owner));
  const aside: string[] = [];
  try {
    await takeOwnership({ paths, file, draft, now: options.now ?? systemClock.now(), aside });
  } finally {
    await unlinkIfThere(draft);
  }
  await writePidFile(paths, owner);
  return { owner, setAside: aside };
}

/**
 * Makes the files of a living owner again when somebody has removed or spoilt them. Answers whether it had to; throws when
 * they belong to another living master.
 */
export async function keepInstance(paths: InstancePaths, owner: ProcessIdentity): Promise<boolean> {
  const file = instanceFileOf(paths);
  const text = await readOrNothing(file);
  const there = text === null ? null : parseIdentity(text);
  let made = false;
  if (there === null || !sameProcess(there, owner)) {
    if (there !== null && (await isMaster(there, paths))) throw alreadyRunning(paths, there.pid);
    const draft = `${file}.new-${owner.pid}-${owner.startTicks}`;
    await writeWhole(draft, identityText(owner));
    await moveOver(draft, file);
    made = true;
  }
  if ((await readOrNothing(paths.pidFile)) !== pidText(owner)) {
    await writePidFile(paths, owner);
    made = true;
  }
  return made;
}

/** Removes the files of this process (or `owner`); those of another one are left alone. Answers whether it did. */
export async function removeInstance(
  paths: InstancePaths,
  options: WriteInstanceOptions = {},
): Promise<boolean> {
  const owner = options.owner ?? ownIdentity();
  const file = instanceFileOf(paths);
  const text = await readOrNothing(file);
  const current = text === null ? null : parseIdentity(text);
  if (current === null || !sameProcess(current, owner)) return false;
  // The pid file first: the moment the identity is gone, the next master may write its own.
  await unlinkIfThere(paths.pidFile);
  await unlinkIfThere(file);
  return true;
}

/** Removes what a master that is no more has left; false when the mode belongs to somebody by now. */
export async function removeStaleInstance(paths: InstancePaths, stale: Instance): Promise<boolean> {
  if (stale.state !== 'stale') return false;
  const file = instanceFileOf(paths);
  if (stale.identity === null) {
    const now = await readInstance(paths);
    if (now.state === 'stale' && now.identity === null) await unlinkIfThere(paths.pidFile);
    return now.state === 'stale';
  }
  const self = ownIdentity();
  const draft = `${file}.remove-${self.pid}-${self.startTicks}`;
  await writeWhole(draft, identityText(self));
  try {
    const claim = await claimAfter({ file, draft, stale: stale.identity, readIdentityFile });
    if (claim.state !== 'ours') return false;
    await unlinkIfThere(paths.pidFile);
    await unlinkIfThere(file);
    await claim.release();
    return true;
  } finally {
    await unlinkIfThere(draft);
  }
}

const TRIES_MAX = 20;

interface TakeOwnership {
  readonly paths: InstancePaths;
  readonly file: string;
  readonly draft: string;
  readonly now: number;
  /** Gets a sentence for each file that is set aside. */
  readonly aside: string[];
}

async function takeOwnership({ paths, file, draft, now, aside }: TakeOwnership): Promise<void> {
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    const found = await readInstanceFiles(paths);
    switch (found.state) {
      case 'running':
        throw alreadyRunning(paths, found.pid);
      case 'denied':
        throw new SpushError(
          'CONTROL_NO_PERMISSION',
          `cannot tell whether ${modeOf(paths)} runs already: ${found.reason}`,
        );
      case 'none':
        if (await linkIfFree(draft, file)) return;
        break;
      case 'broken': {
        if (await isListening(paths)) throw listenedOn(paths, found.reason);
        for (const { file: broken, reason } of found.files) {
          const to = await setAside(broken, now);
          if (to !== null) aside.push(`${reason}; it is set aside as ${to}`);
        }
        if (await linkIfFree(draft, file)) return;
        break;
      }
      case 'elsewhere':
      case 'stale': {
        if (found.state === 'elsewhere' && (await isListening(paths))) {
          throw listenedOn(paths, 'its process is in another container');
        }
        if (found.identity === null) {
          if (await linkIfFree(draft, file)) return;
          break;
        }
        const claim = await claimAfter({ file, draft, stale: found.identity, readIdentityFile });
        if (claim.state === 'taken') throw alreadyRunning(paths, claim.by);
        if (claim.state === 'changed') break;
        await moveOver(draft, file);
        await claim.release();
        return;
      }
    }
  }
  throw new SpushError('START_FAILED', `${file} changes owners all the time; try again`);
}

export function alreadyRunning(paths: Pick<InstancePaths, 'pidFile'>, pid: number): SpushError {
  const mode = modeOf(paths);
  return new SpushError(
    'ALREADY_RUNNING',
    `mode ${mode} is running already as pid ${pid} (${paths.pidFile}); stop it, or choose another -mode=`,
    { detail: { mode, pid } },
  );
}

function listenedOn(paths: InstancePaths, why: string): SpushError {
  return new SpushError(
    'ALREADY_RUNNING',
    `mode ${modeOf(paths)} is running already: a master listens on ${paths.socket}, though its pid is not known here (${why}); stop it there`,
  );
}

/** Whether somebody answers at the control socket. */
export async function isListening({ socket }: Pick<InstancePaths, 'socket'>): Promise<boolean> {
  try {
    return (await whoListens(socket)) === 'living';
  } catch (cause) {
    const code = isCode(cause, 'EACCES', 'EPERM') ? 'CONTROL_NO_PERMISSION' : 'START_FAILED';
    throw new SpushError(code, `cannot tell who listens on ${socket}: ${errorText(cause)}`, { cause });
  }
}

async function orBroken(file: string, read: () => Promise<Instance>): Promise<Instance> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof MeaninglessFile || error instanceof UntrustedFile)) throw error;
    const isUntrusted = error instanceof UntrustedFile;
    const reason = error.message;
    return { state: 'broken', files: [{ file, reason }], reason, isUntrusted };
  }
}

async function judgeIdentityFile(paths: InstancePaths): Promise<Instance> {
  const file = instanceFileOf(paths);
  const identity = await readIdentityFile(file);
  return identity === null ? { state: 'none' } : judge(paths, identity, file);
}

async function judgePidFile(paths: InstancePaths): Promise<Instance> {
  const pid = await readPidFile(paths.pidFile);
  if (pid === null) return { state: 'none' };
  const living = await identityOf(pid);
  if (living === null) return { state: 'stale', pid, identity: null };
  const judged = await judge(paths, living, paths.pidFile);
  return judged.state === 'stale' ? { ...judged, identity: null } : judged;
}

async function judge(paths: InstancePaths, identity: ProcessIdentity, file: string): Promise<Instance> {
  const { pid } = identity;
  const owner = trustedOwner(file);
  if (isElsewhere(identity)) return { state: 'elsewhere', pid, identity };
  if (!(await isAlive(identity))) return { state: 'stale', pid, identity };
  const title = masterTitle(modeOf(paths));
  const facts = factsOf(pid);
  // Not shown to us, and there: another user's. Whoever signals it is told so.
  if (facts === null && isHidden(pid)) {
    return { state: 'running', pid, master: { identity, uid: owner, title } };
  }
  if (facts === null || !sameProcess(identityIn(facts), identity)) return { state: 'stale', pid, identity };
  if (facts.uid !== owner || facts.title !== title) return { state: 'stale', pid, identity };
  return { state: 'running', pid, master: { identity, uid: owner, title } };
}

async function isMaster(identity: ProcessIdentity, paths: InstancePaths): Promise<boolean> {
  if (isElsewhere(identity)) return true;
  const facts = factsOf(identity.pid);
  return (
    facts !== null &&
    sameProcess(identityIn(facts), identity) &&
    facts.title === masterTitle(modeOf(paths)) &&
    identity.pid !== process.pid
  );
}

/** Null when there is none. */
async function readIdentityFile(file: string): Promise<ProcessIdentity | null> {
  const text = await readIfThere(file);
  if (text === null) return null;
  const identity = parseIdentity(text);
  if (identity) return identity;
  throw new MeaninglessFile(
    `${file} does not hold the identity of a process: ${whatIsWrong(text, 'it is cut off or garbled')}`,
  );
}

/** For whoever writes another file in its place. */
async function readOrNothing(file: string): Promise<string | null> {
  try {
    return await readIfThere(file);
  } catch (error) {
    if (error instanceof MeaninglessFile) return null;
    throw error;
  }
}

function parseIdentity(text: string): ProcessIdentity | null {
  try {
    return processIdentitySchema.parse(JSON.parse(text));
  } catch {
    // Whoever asks says what is wrong with the text, or writes another one.
    return null;
  }
}

async function readPidFile(file: string): Promise<number | null> {
  const text = await readIfThere(file);
  if (text === null) return null;
  if (/^[1-9]\d{0,9}\s*$/.test(text)) return Number.parseInt(text, 10);
  throw new MeaninglessFile(
    `${file} does not hold the number of a process: ${whatIsWrong(text, 'it is garbled')}`,
  );
}

async function writePidFile({ pidFile }: InstancePaths, owner: ProcessIdentity): Promise<void> {
  const draft = `${pidFile}.new-${owner.pid}`;
  await writeWhole(draft, pidText(owner), 0o644);
  await moveOver(draft, pidFile);
}

function pidText({ pid }: ProcessIdentity): string {
  return `${pid}\n`;
}

function identityText(identity: ProcessIdentity): string {
  return `${JSON.stringify(identity)}\n`;
}

function modeOf({ pidFile }: Pick<InstancePaths, 'pidFile'>): string {
  return basename(pidFile, '.pid');
}

/** Of this process. */
export function ownIdentity(): ProcessIdentity {
  const facts = factsOf(process.pid);
  if (facts === null) {
    throw new Error(`/proc/${process.pid}/stat cannot be read: spush needs a mounted /proc`);
  }
  return identityIn(facts);
}
