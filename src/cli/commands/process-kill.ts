/** `spush process kill`: ends one process or a group, by exact match, and shows which took their places. */
import { SpushError } from '../../shared/base/errors.js';
import { type CliAction, FORCE_OPTION, type GivenOptions, JSON_OPTION, MODE_OPTION } from '../action.js';
import { killProcesses } from '../killed-processes.js';

export const processKill: CliAction = {
  name: 'kill',
  doc: 'end processes; new ones take their places',
  options: [
    { name: 'pid', kind: 'value', label: '--pid=PID', doc: 'the process with this pid' },
    {
      name: 'group',
      kind: 'value',
      label: '--group=GROUP_NAME',
      doc: 'the processes of this group, e.g. Worker, TaskWorker or Crontab',
    },
    FORCE_OPTION,
    MODE_OPTION,
    JSON_OPTION,
  ],
  explainWords: ([word = '', ...others], given) => {
    if (others.length > 0 || given.some(({ name }) => name === 'pid' || name === 'group')) return null;
    if (/^-\d/.test(word)) return 'a signal has no number here: -f kills at once';
    const isPid = /^\d+$/.test(word);
    return `a ${isPid ? 'process' : 'group'} is named by spush process kill --${isPid ? 'pid' : 'group'}=${word}`;
  },
  run: async (context, options) => {
    const { args, named } = targetOf(options);
    const force = options.flag('f') === true;
    return killProcesses(context, options, { args: { ...args, force }, which: `there is none of ${named}` });
  },
};

interface KillTarget {
  readonly args: { readonly pid: number } | { readonly group: string };
  readonly named: string;
}

function targetOf(options: GivenOptions): KillTarget {
  const pid = pidOf(options);
  const group = options.value('group');
  if (group === '') throw new SpushError('USAGE', '--group= is empty; name a group, e.g. --group=TaskWorker');
  if (pid !== undefined && group === undefined) return { args: { pid }, named: `pid ${pid}` };
  if (pid === undefined && group !== undefined) return { args: { group }, named: `group ${group}` };
  const which = pid === undefined ? 'say which' : 'say only one of both';
  throw new SpushError('USAGE', `${which}: spush process kill --pid=PID or --group=GROUP_NAME`);
}

function pidOf(options: GivenOptions): number | undefined {
  const given = options.value('pid');
  if (given === undefined) return undefined;
  const pid = /^\d+$/.test(given) ? Number(given) : 0;
  if (pid > 0 && Number.isSafeInteger(pid)) return pid;
  throw new SpushError('USAGE', `--pid=${given}: expected the number of a process`);
}
