/**
 * A call to the master of a mode, with what the person should know when there is none to answer: whether it runs and
 * only its socket is missing, whether it died, which other modes run here.
 */

import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../platform/clock/system-clock.js';
import { locatePaths } from '../platform/config/config-paths.js';
import type { Paths } from '../platform/config/config-schema.js';
import { readInstance } from '../platform/instance/instance-file.js';
import { readProcessStat } from '../platform/instance/process-identity.js';
import { msBetween, msLater } from '../shared/base/clock.js';
import { isSpushError, SpushError } from '../shared/base/errors.js';
import { shellWord } from '../shared/base/shell-word.js';
import type { ControlArgsIn, ControlCommandName, ControlData } from '../shared/protocol/control-commands.js';
import type { CliContext, GivenOptions } from './action.js';
import { type ControlCallOptions, callControl } from './control-client.js';
import { programFolderOf } from './folders.js';
import { mastersElsewhere } from './masters-elsewhere.js';
import { modeOf, modeOption } from './start-options.js';

export interface MasterTarget {
  readonly mode: string;
  readonly paths: Paths;
  /** The folder of the program, by which one that runs in another home is known. */
  readonly program: string;
}

export function targetOf({ cwd, env, launchPath }: CliContext, options: GivenOptions): MasterTarget {
  const mode = modeOf(options);
  return { mode, paths: locatePaths({ cwd, env, mode }), program: programFolderOf(launchPath) };
}

/** A master that runs and whose socket was removed makes it again within seconds. */
const TRY_EVERY_MS = 200;
/** For one that runs in another home to say so: it is only a hint. */
const ELSEWHERE_MS = 500;

/** A short question about the running server. */
export function askMaster<C extends ControlCommandName>(
  context: CliContext,
  options: GivenOptions,
  command: C,
  args: ControlArgsIn<C>,
): Promise<ControlData<C>> {
  return callMaster(targetOf(context, options), command, args, { deadlineMs: context.patience.answerMs });
}

/**
 * A command that changes something is sent only to a master that answers. A suspended master would carry it out when it is
 * continued, long after this command has reported that it got no answer.
 */
export async function tellMaster<C extends ControlCommandName>(
  context: CliContext,
  options: GivenOptions,
  command: C,
  args: ControlArgsIn<C>,
): Promise<ControlData<C>> {
  await askMaster(context, options, 'ping', {});
  return askMaster(context, options, command, args);
}

export async function callMaster<C extends ControlCommandName>(
  target: MasterTarget,
  command: C,
  args: ControlArgsIn<C>,
  options: ControlCallOptions,
): Promise<ControlData<C>> {
  const { mode, paths } = target;
  const end = msLater(systemClock.moment(), options.deadlineMs);
  for (;;) {
    try {
      return await callControl({ mode, socket: paths.socket }, command, args, options);
    } catch (error) {
      if (isSpushError(error, 'CONTROL_NO_ANSWER')) throw await explainSuspended(paths, error);
      if (!isSpushError(error, 'NOT_RUNNING')) throw error;
      // Nothing was said to anybody yet, so it can be said again.
      const explained = await explainSilence(target, error, options);
      const isThere = isSpushError(explained, 'CONTROL_NO_ANSWER');
      if (!isThere || msBetween(systemClock.moment(), end) <= TRY_EVERY_MS) throw explained;
      await delay(TRY_EVERY_MS);
    }
  }
}

export interface NotRunning {
  readonly why: string;
  /** What the call that found none would have waited for. */
  readonly deadlineMs: number;
  /** What to do where none runs elsewhere either. */
  readonly nextStep?: string;
}

/** `mode websocket is not running: …`, with the other modes that run here, or the home in which one of this mode does. */
export async function notRunning(
  target: MasterTarget,
  { why, deadlineMs, nextStep }: NotRunning,
): Promise<SpushError> {
  const hint = (await othersHere(target)) ?? (await oneElsewhere(target, deadlineMs)) ?? nextStep;
  const text = `mode ${target.mode} is not running: ${why}${hint === undefined ? '' : `; ${hint}`}`;
  return new SpushError('NOT_RUNNING', text);
}

async function othersHere({ paths }: MasterTarget): Promise<string | null> {
  const others = await runningModes(paths);
  return others.length === 0 ? null : `running here: ${others.map((other) => `-mode=${other}`).join(', ')}`;
}

async function oneElsewhere(
  { mode, paths, program }: MasterTarget,
  deadlineMs: number,
): Promise<string | null> {
  const { root, home } = paths;
  const answerMs = Math.min(deadlineMs, ELSEWHERE_MS);
  const others = await mastersElsewhere({ mode, root, home, program, answerMs });
  const [first] = others;
  if (first === undefined) return null;
  const { pid, environment } = first;
  const which = others.length === 1 ? 'one runs' : `${others.length} run elsewhere, one of them`;
  return `${which} as pid ${pid} with SPUSH_ROOT=${shellWord(environment.root)} SPUSH_HOME=${shellWord(environment.home)}`;
}

async function explainSilence(
  target: MasterTarget,
  error: SpushError,
  { deadlineMs }: Pick<ControlCallOptions, 'deadlineMs'>,
): Promise<SpushError> {
  const { mode, paths } = target;
  const instance = await readInstance(paths);
  switch (instance.state) {
    case 'running':
      return new SpushError(
        'CONTROL_NO_ANSWER',
        `mode ${mode} runs as pid ${instance.pid}, but nobody answers at its control socket ${paths.socket}: it makes it again within seconds where it can; "spush server stop" ends it also without`,
        { cause: error },
      );
    case 'stale':
      return notRunning(target, {
        why: `its master, pid ${instance.pid}, has ended without cleaning up (${paths.pidFile})`,
        deadlineMs,
      });
    case 'broken':
      return notRunning(target, {
        why: `there is no control socket at ${paths.socket}, and its files say nothing (${instance.reason})`,
        deadlineMs,
      });
    case 'elsewhere':
    case 'denied':
    case 'none':
      return notRunning(target, {
        why: `there is no control socket at ${paths.socket}`,
        deadlineMs,
        nextStep: `to start it: spush server start -d${modeOption(mode)} (a service: systemctl start)`,
      });
  }
}

async function explainSuspended(paths: Paths, error: SpushError): Promise<SpushError> {
  const instance = await readInstance(paths);
  if (instance.state !== 'running' || !(await isSuspended(instance.pid))) return error;
  return new SpushError(
    'CONTROL_NO_ANSWER',
    `${error.message}: its process, pid ${instance.pid}, is suspended (SIGSTOP); kill -CONT ${instance.pid} lets it go on`,
    { cause: error },
  );
}

export async function isSuspended(pid: number): Promise<boolean> {
  return (await readProcessStat(pid))?.state === 'T';
}

async function runningModes({ temp, home }: Paths): Promise<string[]> {
  const modes: string[] = [];
  for (const name of await listFolder(temp)) {
    if (!name.endsWith('.pid')) continue;
    const mode = basename(name, '.pid');
    const instance = await readInstance({
      home,
      pidFile: join(temp, name),
      socket: join(temp, `${mode}.sock`),
    });
    if (instance.state === 'running') modes.push(mode);
  }
  return modes;
}

/** It is only a hint: a folder that is not there, or not ours to read, has nothing to say. */
async function listFolder(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return [];
    throw error;
  }
}
