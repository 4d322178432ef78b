/** `spush crontab resume`: put a stopped job back into the schedule. */
import { EXIT } from '../../shared/base/errors.js';
import { type CliAction, JSON_OPTION, MODE_OPTION } from '../action.js';
import { printJobs } from '../crontab-table.js';
import { explainJobWords, jobNameOf, NAME_OPTION } from '../job-options.js';
import { tellMaster } from '../master-call.js';

export const crontabResume: CliAction = {
  name: 'resume',
  doc: 'put a stopped job back into the schedule',
  saidAs: ['start', 'enable'],
  options: [NAME_OPTION, MODE_OPTION, JSON_OPTION],
  explainWords: explainJobWords('resume'),
  run: async (context, options) => {
    const name = jobNameOf(options, 'resume');
    const { jobs } = await tellMaster(context, options, 'crontab.resume', { name });
    printJobs(context, options, { jobs, done: `crontab: ${name} resume success.` });
    return EXIT.done;
  },
};
