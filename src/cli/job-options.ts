/** How a crontab command is told which job it is about. */
import { SpushError } from '../shared/base/errors.js';
import type { GivenOptions, OptionSpec } from './action.js';
import type { GivenOption } from './arguments.js';

export const NAME_OPTION: OptionSpec = {
  name: 'name',
  kind: 'value',
  label: '--name=JOB',
  doc: 'name of the job; also --taskName=JOB',
  aliases: ['taskName'],
};

/** @param action for the text: the word after `crontab` */
export function jobNameOf(options: GivenOptions, action: string): string {
  const name = options.value('name');
  if (name !== undefined && name !== '') return name;
  throw new SpushError('USAGE', `the name of the job must be given: spush crontab ${action} --name=JOB`);
}

/** What a rule is made of, names of months and weekdays too; what a shell has put in the place of a star is not. */
const RULE_FIELD =
  /^(?:[\d*?,/#LW-]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat)+$/i;

/** Words behind a crontab command: the name of the job without its option, as in former times, or a rule without quotes. */
export function explainJobWords(action: string) {
  return (words: readonly string[], given: readonly GivenOption[]): string | null => {
    const givenText = (name: string): string | undefined => {
      const value = given.findLast((option) => option.name === name)?.value;
      return typeof value === 'string' ? value : undefined;
    };
    const [first = 'JOB', ...others] = words;
    const named = givenText('name');
    const command = `spush crontab ${action} --name=${named ?? first}`;
    if (action !== 'reset')
      return named === undefined && words.length === 1 ? `a job is named by ${command}` : null;
    const rule = givenText('rule');
    const behindName = named === undefined ? others : words;
    if (named === undefined && words.length === 1 && rule !== undefined) {
      return `a job is named by ${command} --rule=${JSON.stringify(rule)}`;
    }
    // It was in quotes: the words are something else.
    if (rule !== undefined && /\s/.test(rule.trim())) return null;
    const fields = [...(rule === undefined ? [] : [rule]), ...(rule === undefined ? behindName : words)];
    const isRule = fields.length === 5 && fields.every((field) => RULE_FIELD.test(field));
    const shown = isRule ? fields.join(' ') : '*/5 * * * *';
    return `the rule must be in quotes, or the shell makes several words of it: ${command} --rule="${shown}"`;
  };
}
