/** `task.status`: a row for each TaskWorker; its counts are those of the process that runs now. */
import type { ChildStats } from '../../../shared/protocol/ipc.js';
import type { Child } from '../../supervisor/child.js';
import type { Slot } from '../../supervisor/slot.js';
import type { ControlHandler } from '../control-handlers.js';

export interface TaskStatusDeps {
  readonly taskWorkers: () => readonly Slot[];
  readonly statsOf: (child: Child) => Promise<ChildStats | null>;
  /** Tasks that wait for a free TaskWorker. */
  readonly queued: () => number;
}

export function taskStatus({ taskWorkers, statsOf, queued }: TaskStatusDeps): ControlHandler<'task.status'> {
  return async () => {
    const tasks = await Promise.all(
      taskWorkers().map(async ({ child, index }) => {
        const stats = child ? await statsOf(child) : null;
        return {
          running: stats?.tasksRunning ?? 0,
          success: stats?.tasksDone ?? 0,
          fail: stats?.tasksFailed ?? 0,
          pid: child?.pid ?? null,
          startUpTime: child ? new Date(child.startedAt).toISOString() : null,
          workerIndex: index,
          queued: queued(),
        };
      }),
    );
    return { tasks };
  };
}
