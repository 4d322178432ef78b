/** `spush task status`: what each TaskWorker has done and is doing. */
import { systemClock } from '../../platform/clock/system-clock.js';
import { EXIT } from '../../shared/base/errors.js';
import { type CliAction, JSON_OPTION, MODE_OPTION } from '../action.js';
import { askMaster } from '../master-call.js';
import { taskTable } from '../task-tables.js';

export const taskStatus: CliAction = {
  name: 'status',
  doc: 'show what each TaskWorker does',
  saidAs: ['show', 'list', 'ls'],
  options: [MODE_OPTION, JSON_OPTION],
  run: async (context, options) => {
    const { terminal } = context;
    const data = await askMaster(context, options, 'task.status', {});
    if (options.flag('json')) terminal.printJson(data);
    else {
      const now = new Date(systemClock.now());
      terminal.print(taskTable(data.tasks, { width: terminal.width, now }));
    }
    return EXIT.done;
  },
};
