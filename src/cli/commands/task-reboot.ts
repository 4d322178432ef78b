/** `spush task reboot`: ends every TaskWorker so that new ones take their places. */
import { systemClock } from '../../platform/clock/system-clock.js';
import { EXIT } from '../../shared/base/errors.js';
import { type CliAction, FORCE_OPTION, JSON_OPTION, MODE_OPTION } from '../action.js';
import { callForLong } from '../long-call.js';
import { rebootTable } from '../task-tables.js';

export const taskReboot: CliAction = {
  name: 'reboot',
  doc: 'start all TaskWorkers anew; tasks under way are finished first',
  options: [FORCE_OPTION, MODE_OPTION, JSON_OPTION],
  run: async (context, options) => {
    const { terminal } = context;
    const force = options.flag('f') === true;
    const before = force ? 'stop' : 'finishTasks';
    const data = await callForLong(context, options, { command: 'task.reboot', args: { force }, before });
    if (options.flag('json')) terminal.printJson(data);
    else {
      const now = new Date(systemClock.now());
      terminal.print(rebootTable(data.tasks, { width: terminal.width, now }));
    }
    const missing = data.tasks.filter(({ newPid }) => newPid === null).map(({ pid }) => pid);
    if (missing.length === 0) return EXIT.done;
    terminal.printError(
      `not yet followed by a new TaskWorker: pid ${missing.join(', ')}; see spush task status`,
    );
    return EXIT.failed;
  },
};
