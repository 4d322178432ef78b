/** `task.reboot`: a new process for each TaskWorker. Without force the old ones finish their tasks first. */
import type { RebootRow } from '../../../shared/protocol/control-commands.js';
import {
  type EndedProcess,
  type EndProcessDeps,
  killProcess,
  replaceProcess,
} from '../../supervisor/end-process.js';
import type { OneAtATime } from '../../supervisor/one-at-a-time.js';
import type { Slot } from '../../supervisor/slot.js';
import { type ControlHandler, progressTo } from '../control-handlers.js';

/** The column `3s-Status` tells whether the old process was still there after this. */
const STATUS_AFTER_MS = 3000;

export interface TaskRebootDeps extends EndProcessDeps {
  readonly taskWorkers: () => readonly Slot[];
  readonly replacing: OneAtATime;
}

export function taskReboot(deps: TaskRebootDeps): ControlHandler<'task.reboot'> {
  return async ({ force }, progress) => {
    const targets = deps
      .taskWorkers()
      .flatMap((slot) => (slot.child && slot.child.pid !== null ? [{ slot, child: slot.child }] : []));
    const options = { reason: 'task reboot', progress: progressTo(progress) };
    const ended = force
      ? await Promise.all(targets.map((target) => killProcess(deps, target, options)))
      : await deps.replacing.run('task reboot', async () => {
          const replaced: EndedProcess[] = [];
          for (const target of targets) replaced.push(await replaceProcess(deps, target, options));
          return replaced;
        });
    return { tasks: ended.map(rebootRow) };
  };
}

function rebootRow({ child, signal, toldAt, endedAfterMs, newPid }: EndedProcess): RebootRow {
  return {
    pid: child.pid ?? 0,
    startUpTime: new Date(child.startedAt).toISOString(),
    signalTime: new Date(toldAt).toISOString(),
    signalType: signal,
    '3s-Status': endedAfterMs !== null && endedAfterMs <= STATUS_AFTER_MS ? 'exit' : 'alive',
    newPid,
  };
}
