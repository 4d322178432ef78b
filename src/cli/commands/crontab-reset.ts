/** `spush crontab reset`: gives a job another rule, also over restarts. */
import { EXIT, SpushError } from '../../shared/base/errors.js';
import { type CliAction, JSON_OPTION, MODE_OPTION } from '../action.js';
import { printJobs } from '../crontab-table.js';
import { jobNameOf, NAME_OPTION } from '../job-options.js';
import { tellMaster } from '../master-call.js';

export const crontabReset: CliAction = {
  name: 'reset',
  doc: 'give a job another rule, also over restarts',
  options: [
    NAME_OPTION,
    {
      name: 'rule',
      kind: 'value',
      label: '--rule=RULE',
      doc: 'the new rule in quotes, e.g. --rule="*/5 * * * *"; also --taskRule=RULE',
      aliases: ['taskRule'],
    },
    MODE_OPTION,
    JSON_OPTION,
  ],
  run: async (context, options) => {
    const name = jobNameOf(options, 'reset');
    const rule = options.value('rule')?.trim();
    if (rule === undefined || rule === '') {
      const example = `spush crontab reset --name=${name} --rule="*/5 * * * *"`;
      throw new SpushError('USAGE', `the rule of the job must be given: ${example}`);
    }
    const { jobs } = await tellMaster(context, options, 'crontab.reset', { name, rule });
    printJobs(context, options, { jobs, done: `crontab: ${name} reset success` });
    return EXIT.done;
  },
};
