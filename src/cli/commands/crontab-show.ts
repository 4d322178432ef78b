/** `spush crontab show`: every job with its rule, runs and times. */
import { EXIT } from '../../shared/base/errors.js';
import { type CliAction, JSON_OPTION, MODE_OPTION } from '../action.js';
import { printJobs } from '../crontab-table.js';
import { askMaster } from '../master-call.js';

export const crontabShow: CliAction = {
  name: 'show',
  doc: 'show all jobs',
  saidAs: ['list', 'ls', 'status'],
  options: [MODE_OPTION, JSON_OPTION],
  run: async (context, options) => {
    printJobs(context, options, await askMaster(context, options, 'crontab.show', {}));
    return EXIT.done;
  },
};
