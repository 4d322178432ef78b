/** `spush crontab stop`: take a job out of the schedule, also over restarts. */
import { EXIT } from '../../shared/base/errors.js';
import { type CliAction, JSON_OPTION, MODE_OPTION } from '../action.js';
import { printJobs } from '../crontab-table.js';
import { explainJobWords, jobNameOf, NAME_OPTION } from '../job-options.js';
import { tellMaster } from '../master-call.js';

export const crontabStop: CliAction = {
  name: 'stop',
  doc: 'take a job out of the schedule, also over restarts',
  saidAs: ['disable', 'pause'],
  options: [NAME_OPTION, MODE_OPTION, JSON_OPTION],
  explainWords: explainJobWords('stop'),
  run: async (context, options) => {
    const name = jobNameOf(options, 'stop');
    const { jobs } = await tellMaster(context, options, 'crontab.stop', { name });
    printJobs(context, options, { jobs, done: `crontab: ${name} is stop success.` });
    return EXIT.done;
  },
};
