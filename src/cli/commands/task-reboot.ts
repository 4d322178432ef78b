/** `spush task reboot`: ends every TaskWorker so that new ones take their places. */
import { systemClock } from '../../platform/clock/system-clock.js';
import { EXIT, SpushError } from '../../shared/base/errors.js';
import { type CliAction, FORCE_OPTION, JSON_OPTION, MODE_OPTION } from '../action.js';
import { failureOf, tellFailure } from '../failure.js';
import { callForLong } from '../long-call.js';
import { rebootTable } from '../task-tables.js';

export const taskReboot: CliAction = {
  name: 'reboot',
  doc: 'start all TaskWorkers anew; tasks under way are finished first',
  saidAs: ['restart', 'reload'],
  options: [FORCE_OPTION, MODE_OPTION, JSON_OPTION],
  run: async (context, options) => {
    const { terminal } = context;
    const force = options.flag('f') === true;
    const before = force ? 'stop' : 'finishTasks';
    const data = await callForLong(context, options, { command: 'task.reboot', args: { force }, before });
    const missing = data.tasks.filter(({ newPid }) => newPid === null).map(({ pid }) => pid);
    const text = `not yet followed by a new TaskWorker: pid ${missing.join(', ')}; see spush task status`;
    const failure = missing.length === 0 ? null : new SpushError('START_FAILED', text);
    if (options.flag('json')) {
      terminal.printJson({ ...data, ...(failure ? { error: failureOf(failure) } : {}) });
    } else {
      const now = new Date(systemClock.now());
      terminal.print(rebootTable(data.tasks, { width: terminal.width, now }));
      if (failure) tellFailure(terminal, failure, { json: false });
    }
    return failure?.exitCode ?? EXIT.done;
  },
};
