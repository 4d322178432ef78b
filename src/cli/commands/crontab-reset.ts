/** `spush crontab reset`: gives a job another rule, also over restarts. */
import { EXIT, isSpushError, SpushError } from '../../shared/base/errors.js';
import { type CliAction, JSON_OPTION, MODE_OPTION } from '../action.js';
import { printJobs } from '../crontab-table.js';
import { explainJobWords, jobNameOf, NAME_OPTION } from '../job-options.js';
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
  explainWords: explainJobWords('reset'),
  saidAs: ['rule', 'set', 'change'],
  run: async (context, options) => {
    const name = jobNameOf(options, 'reset');
    const rule = options.value('rule')?.trim();
    if (rule === undefined || rule === '') {
      const example = `spush crontab reset --name=${name} --rule="*/5 * * * *"`;
      throw new SpushError('USAGE', `the rule of the job must be given: ${example}`);
    }
    const { jobs } = await tellMaster(context, options, 'crontab.reset', { name, rule }).catch((error) => {
      throw withQuotesHint(error, { name, rule });
    });
    printJobs(context, options, { jobs, done: `crontab: ${name} reset success` });
    return EXIT.done;
  },
};

/** A rule of one field is often what a shell has left of one without quotes. */
function withQuotesHint(error: unknown, { name, rule }: { name: string; rule: string }): unknown {
  if (!isSpushError(error, 'CRON_RULE_INVALID') || /[\s@]/.test(rule)) return error;
  const right = `spush crontab reset --name=${name} --rule="*/5 * * * *"`;
  return new SpushError(error.code, `${error.message}; the rule must be in quotes: ${right}`, {
    cause: error,
  });
}
