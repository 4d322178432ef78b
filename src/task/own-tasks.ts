/** The tasks of bootstrap.ts as the runner takes them: a log that names the task, and a result that can travel. */
import type { OwnTask } from '../platform/config/bootstrap-hooks.js';
import type { Log, LogFields } from '../platform/log/log.js';
import { errorText, SpushError } from '../shared/base/errors.js';
import type { Task } from './task-runner.js';

/** Of a result, as JSON: it travels through the master and over the control socket. */
export const RESULT_BYTES_MAX = 262_144;

export function ownTasks(tasks: readonly OwnTask[], log: Log): Task[] {
  return tasks.map(({ name, run }) => ({
    name,
    async run(args, { signal }) {
      return sendable(name, await run(args, { signal, log: taskLog(name, log) }));
    },
  }));
}

/** What JSON makes of a result, so that the caller gets the same from every process; nothing becomes null. */
function sendable(name: string, result: unknown): unknown {
  let text: string;
  try {
    text = JSON.stringify(result) ?? 'null';
  } catch (cause) {
    throw new SpushError(
      'TASK_FAILED',
      `task ${name} ended, but its result cannot be sent: ${errorText(cause)}`,
      { cause },
    );
  }
  const bytes = Buffer.byteLength(text);
  if (bytes > RESULT_BYTES_MAX) {
    throw new SpushError(
      'TASK_FAILED',
      `task ${name} ended, but its result has ${bytes} bytes; at most ${RESULT_BYTES_MAX} can be sent`,
    );
  }
  return JSON.parse(text);
}

function taskLog(task: string, log: Log): Log {
  const named = (fields: LogFields = {}): LogFields => ({ ...fields, task });
  return {
    get debugging() {
      return log.debugging;
    },
    debug: (event, fields) => log.debug(event, named(fields)),
    info: (event, fields) => log.info(event, named(fields)),
    warn: (event, fields) => log.warn(event, named(fields)),
    error: (event, fields) => log.error(event, named(fields)),
  };
}
