/** Every command, with the words that it needs beside its name to be rightly typed. */
import { GROUPS } from '../../src/cli/program.js';

const WORDS: Readonly<Record<string, readonly string[]>> = {
  'process kill': ['--pid=1'],
  'process killAll': ['--yes'],
  'crontab run': ['--name=J'],
  'crontab stop': ['--name=J'],
  'crontab resume': ['--name=J'],
  'crontab reset': ['--name=J', '--rule=@daily'],
  'config set': ['MaxLinkNumber', '5'],
  'user show': ['176906'],
  'message show': ['1574620951744348160'],
};

export const TYPED_COMMANDS: readonly string[][] = GROUPS.flatMap(({ name, actions }) =>
  actions.map((action) => [name, action.name, ...(WORDS[`${name} ${action.name}`] ?? [])]),
);
