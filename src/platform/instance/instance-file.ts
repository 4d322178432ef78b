/**
 * The files by which one instance (mode) is found: `Temp/{mode}.pid`, the plain number for people and old scripts, and
 * `Temp/{mode}.master.json`, the identity of the master. The second one is the ownership: it is made with link(2), so
 * that of many masters starting at once exactly one gets it, and nobody ever sees half of it.
 */
import { rename, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { SpushError } from '../../shared/base/errors.js';
import { masterTitle } from '../../shared/domain/role.js';
import type { Paths } from '../config/config-schema.js';
import { isCode, linkIfFree, readIfThere, unlinkIfThere } from './atomic-files.js';
import { claimAfter } from './instance-claim.js';
import {
  identityOf,
  isAlive,
  type ProcessIdentity,
  processIdentitySchema,
  processTitle,
  sameProcess,
} from './process-identity.js';

export type InstancePaths = Pick<Paths, 'pidFile'>;

export type Instance =
  | { readonly state: 'none' }
  | { readonly state: 'running'; readonly pid: number; readonly identity: ProcessIdentity }
  /** The files are there, the process is not, or its number belongs to another program now. */
  | { readonly state: 'stale'; readonly pid: number; readonly identity: ProcessIdentity | null }
  | {
      readonly state: 'unreadable';
      readonly pid: number | null;
      readonly reason: string;
      /** The files belong to somebody else. */
      readonly denied: boolean;
    };

export interface WriteInstanceOptions {
  /** The owner; by default this process. */
  readonly owner?: ProcessIdentity;
}

export function instanceFileOf({ pidFile }: InstancePaths): string {
  return pidFile.replace(/\.pid$/, '.master.json');
}

export async function readInstance(paths: InstancePaths): Promise<Instance> {
  const file = instanceFileOf(paths);
  let identity: ProcessIdentity | null;
  let pid: number | null;
  try {
    identity = await readIdentityFile(file);
    pid = await readPidFile(paths.pidFile);
  } catch (error) {
    const denied = isCode(error, 'EACCES', 'EPERM');
    const reason = error instanceof Error ? error.message : String(error);
    return { state: 'unreadable', pid: null, reason, denied };
  }
  if (identity !== null) {
    return (await isAlive(identity))
      ? { state: 'running', pid: identity.pid, identity }
      : { state: 'stale', pid: identity.pid, identity };
  }
  if (pid === null) return { state: 'none' };
  // Somebody removed the identity and left the pid file: what the process calls itself must do.
  const living = await identityOf(pid);
  const mode = basename(paths.pidFile, '.pid');
  if (living !== null && (await processTitle(pid)) === masterTitle(mode)) {
    return { state: 'running', pid, identity: living };
  }
  return { state: 'stale', pid, identity: null };
}

/**
 * Makes this process the owner of the mode. A stale owner is replaced; a living one is left alone: ALREADY_RUNNING.
 * The folder must exist.
 */
export async function writeInstance(
  paths: InstancePaths,
  options: WriteInstanceOptions = {},
): Promise<ProcessIdentity> {
  const owner = options.owner ?? (await ownIdentity());
  const file = instanceFileOf(paths);
  const draft = `${file}.new-${owner.pid}-${owner.startTicks}`;
  await writeFile(draft, `${JSON.stringify(owner)}\n`, { mode: 0o600 });
  try {
    await takeOwnership(paths, file, draft);
  } finally {
    await unlinkIfThere(draft);
  }
  const pidDraft = `${paths.pidFile}.new-${owner.pid}`;
  await writeFile(pidDraft, `${owner.pid}\n`, { mode: 0o644 });
  await rename(pidDraft, paths.pidFile);
  return owner;
}

/** Removes the files of this process (or `owner`); those of another one are left alone. Answers whether it did. */
export async function removeInstance(
  paths: InstancePaths,
  options: WriteInstanceOptions = {},
): Promise<boolean> {
  const owner = options.owner ?? (await ownIdentity());
  const file = instanceFileOf(paths);
  const current = await readIdentityFile(file);
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
  const self = await ownIdentity();
  const draft = `${file}.remove-${self.pid}-${self.startTicks}`;
  await writeFile(draft, `${JSON.stringify(self)}\n`, { mode: 0o600 });
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

async function takeOwnership(paths: InstancePaths, file: string, draft: string): Promise<void> {
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    const found = await readInstance(paths);
    switch (found.state) {
      case 'running':
        throw alreadyRunning(paths, found.pid);
      case 'unreadable':
        throw new SpushError(
          found.denied ? 'CONTROL_NO_PERMISSION' : 'START_FAILED',
          `cannot tell whether ${basename(paths.pidFile, '.pid')} runs already: ${found.reason}`,
        );
      case 'none':
        if (await linkIfFree(draft, file)) return;
        break;
      case 'stale': {
        if (found.identity === null) {
          if (await linkIfFree(draft, file)) return;
          break;
        }
        const claim = await claimAfter({ file, draft, stale: found.identity, readIdentityFile });
        if (claim.state === 'taken') throw alreadyRunning(paths, claim.by);
        if (claim.state === 'changed') break;
        await rename(draft, file);
        await claim.release();
        return;
      }
    }
  }
  throw new SpushError('START_FAILED', `${file} changes owners all the time; try again`);
}

export function alreadyRunning({ pidFile }: InstancePaths, pid: number): SpushError {
  const mode = basename(pidFile, '.pid');
  return new SpushError(
    'ALREADY_RUNNING',
    `mode ${mode} is running already as pid ${pid} (${pidFile}); stop it, or choose another -mode=`,
    { detail: { mode, pid } },
  );
}

/** Null when there is none; throws a text that names the file when it is not ours to read or makes no sense. */
async function readIdentityFile(file: string): Promise<ProcessIdentity | null> {
  const text = await readIfThere(file);
  if (text === null) return null;
  try {
    return processIdentitySchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(`${file} does not hold the identity of a process; remove it if nothing runs`, { cause });
  }
}

async function readPidFile(file: string): Promise<number | null> {
  const text = await readIfThere(file);
  if (text === null) return null;
  if (!/^[1-9]\d{0,9}\s*$/.test(text)) {
    throw new Error(`${file} does not hold the number of a process; remove it if nothing runs`);
  }
  return Number.parseInt(text, 10);
}

async function ownIdentity(): Promise<ProcessIdentity> {
  const self = await identityOf(process.pid);
  if (self === null) throw new Error(`/proc/${process.pid}/stat cannot be read: spush needs a mounted /proc`);
  return self;
}
