/** How a crontab command is told which job it is about. */
import { SpushError } from '../shared/base/errors.js';
import type { GivenOptions, OptionSpec } from './action.js';

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
