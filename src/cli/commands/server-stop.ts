/**
 * `spush server stop`: asks the master, shows what it waits for, and returns when its process is really gone. A master
 * that does not answer gets SIGTERM, once its identity is certain. `-force` kills the whole tree instead.
 */
import { systemClock } from '../../platform/clock/system-clock.js';
import { unlinkIfThere } from '../../platform/instance/atomic-files.js';
import { readInstance, removeStaleInstance } from '../../platform/instance/instance-file.js';
import { type KnownProcess, signalProcess } from '../../platform/instance/signal-process.js';
import { msBetween, msLater } from '../../shared/base/clock.js';
import { EXIT, isSpushError, SpushError } from '../../shared/base/errors.js';
import { type CliAction, type CliContext, type GivenOptions, JSON_OPTION, MODE_OPTION } from '../action.js';
import { dateTime } from '../date-time.js';
import { findMaster } from '../find-master.js';
import { callMaster, isSuspended, type MasterTarget, targetOf } from '../master-call.js';
import { killTree, names, readTree, waitGone } from '../process-tree.js';
import { progressOf, type Tell } from '../progress.js';
import { type Pong, runningMs } from '../running-seconds.js';

const KILL_MS = 10_000;

export interface Stopped {
  readonly pid: number;
  readonly stoppedAt: Date;
}

export const serverStop: CliAction = {
  name: 'stop',
  doc: 'stop the server: connections are told, tasks and commits finished',
  saidAs: ['kill', 'shutdown', 'down'],
  options: [
    { name: 'force', kind: 'flag', label: '-force', doc: 'kill the master and all its children at once' },
    MODE_OPTION,
    JSON_OPTION,
  ],
  run: async (context, options) => {
    const { terminal } = context;
    const { pid, stoppedAt } = await stopServer(context, options);
    if (options.flag('json')) terminal.printJson({ pid, stoppedAt: stoppedAt.toISOString() });
    else terminal.print(terminal.paint('green', stoppedText({ pid, stoppedAt })));
    return EXIT.done;
  },
};

export function stoppedText({ pid, stoppedAt }: Stopped): string {
  return `server stop for pid ${pid} at ${dateTime(stoppedAt)}`;
}

/** Throws NOT_RUNNING when there is nothing to stop. */
export async function stopServer(context: CliContext, options: GivenOptions): Promise<Stopped> {
  const target = targetOf(context, options);
  const master = await findMaster(target, context.patience.answerMs);
  const tell = progressOf(context, options);
  if (options.flag('force')) await forceStop(target, master, tell);
  else await orderlyStop(context, target, master, tell);
  return { pid: master.identity.pid, stoppedAt: new Date(systemClock.now()) };
}

async function orderlyStop(
  context: CliContext,
  target: MasterTarget,
  master: KnownProcess,
  tell: Tell,
): Promise<void> {
  const { patience } = context;
  const { pid } = master.identity;
  const greeted = await greet(target, { answerMs: patience.answerMs, master });
  // The children stop within StopSeconds; the master goes after them.
  const stopMs = await runningMs(context, target.mode, greeted.pong, 'StopSeconds');
  const deadlineMs = stopMs + patience.spareMs;
  const end = msLater(systemClock.moment(), deadlineMs);
  const answered = greeted.state !== 'silent';
  if (greeted.state === 'answers') await askToStop(target, { deadlineMs, tell });
  if (!answered) {
    tell(`the control socket does not answer; sending SIGTERM to pid ${pid}`);
    signalProcess(master, 'SIGTERM');
    tell(`waiting for pid ${pid} to end`);
  }
  const left = await waitGone([master], {
    deadlineMs: msBetween(systemClock.moment(), end),
  });
  if (left.length > 0) throw await notStopped(target, master, deadlineMs, answered);
}

/** gone: it has ended, or is about to; silent: nobody answers, so that another way must be tried. */
type Greeted =
  | { readonly state: 'answers'; readonly pong: Pong }
  | { readonly state: 'gone' | 'silent'; readonly pong: null };

/** A stop may take long; whether anybody listens at all is known at once. What else goes wrong is for the person. */
async function greet(
  target: MasterTarget,
  { answerMs, master }: { readonly answerMs: number; readonly master: KnownProcess },
): Promise<Greeted> {
  try {
    return { state: 'answers', pong: await callMaster(target, 'ping', {}, { deadlineMs: answerMs }) };
  } catch (error) {
    if (hasGone(error)) return { state: 'gone', pong: null };
    if (!isSpushError(error, 'CONTROL_NO_ANSWER')) throw error;
    // A suspended process takes no SIGTERM either until it goes on; then it would stop out of the blue.
    if (await isSuspended(master.identity.pid)) throw error;
    return { state: 'silent', pong: null };
  }
}

async function askToStop(
  target: MasterTarget,
  { deadlineMs, tell }: { readonly deadlineMs: number; readonly tell: Tell },
): Promise<void> {
  try {
    await callMaster(target, 'server.stop', {}, { deadlineMs, onEvent: ({ text }) => tell(text) });
  } catch (error) {
    // The connection has gone, or the master is still stopping: the caller checks what is left of it.
    if (!hasGone(error) && !isSpushError(error, 'CONTROL_NO_ANSWER')) throw error;
  }
}

/** It ended while it was asked, or was about to: the wait for its end tells. */
function hasGone(error: unknown): boolean {
  return isSpushError(error, 'RPC_PEER_GONE') || isSpushError(error, 'NOT_RUNNING');
}

async function notStopped(
  { mode }: MasterTarget,
  master: KnownProcess,
  deadlineMs: number,
  answered: boolean,
): Promise<SpushError> {
  const left = names(await readTree(master));
  return new SpushError(
    answered ? 'STOP_FAILED' : 'CONTROL_NO_ANSWER',
    `stop server fail for pid ${master.identity.pid}: after ${deadlineMs / 1000} s still running: ${left}; try: spush server stop -force -mode=${mode}`,
  );
}

async function forceStop({ paths }: MasterTarget, master: KnownProcess, tell: Tell): Promise<void> {
  const { killed, ports } = await killTree(master, { deadlineMs: KILL_MS });
  tell(`killed: ${names(killed)}`);
  // Two sockets may listen on one port: 127.0.0.1 and ::1.
  const free = [...new Set(ports.map(({ port }) => `port ${port}`))];
  if (free.length > 0) tell(`free again: ${free.join(', ')}`);
  const removed = await removeStaleInstance(paths, await readInstance(paths));
  // Not removed: the next master is there already, and the socket is its own.
  if (removed) await unlinkIfThere(paths.socket);
}
