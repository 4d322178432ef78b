/**
 * The command line: words and options → one action → its exit code. Reading and refusing is done here and in
 * arguments.ts, so that every wrong word is answered with the nearest right one; commander parses what is left,
 * dispatches it and prints the help.
 */
import { Command, CommanderError } from 'commander';
import { configInvalid } from '../platform/config/config-fault.js';
import { EXIT, SpushError } from '../shared/base/errors.js';
import { didYouMean } from '../shared/base/nearest.js';
import type { CliAction, CliContext, CliGroup, GivenOptions, OptionSpec } from './action.js';
import { type OptionKinds, type ReadArguments, readArguments, toCommanderArguments } from './arguments.js';
import { configCheck } from './commands/config-check.js';
import { configSet } from './commands/config-set.js';
import { configShow } from './commands/config-show.js';
import { crontabReset } from './commands/crontab-reset.js';
import { crontabResume } from './commands/crontab-resume.js';
import { crontabRun } from './commands/crontab-run.js';
import { crontabShow } from './commands/crontab-show.js';
import { crontabStop } from './commands/crontab-stop.js';
import { logReopen } from './commands/log-reopen.js';
import { messageShow } from './commands/message-show.js';
import { processKill } from './commands/process-kill.js';
import { processKillAll } from './commands/process-kill-all.js';
import { processShow } from './commands/process-show.js';
import { serverReload } from './commands/server-reload.js';
import { serverRestart } from './commands/server-restart.js';
import { serverStart } from './commands/server-start.js';
import { serverStatus } from './commands/server-status.js';
import { serverStop } from './commands/server-stop.js';
import { servicePrint } from './commands/service-print.js';
import { taskReboot } from './commands/task-reboot.js';
import { taskStatus } from './commands/task-status.js';
import { userShow } from './commands/user-show.js';
import { tellFailure, toldFailure, wantsJson } from './failure.js';
import { actionHelp, generalHelp, groupHelp } from './help.js';

export const GROUPS: readonly CliGroup[] = [
  {
    name: 'server',
    doc: 'Start, stop and look at the server',
    actions: [serverStart, serverStop, serverReload, serverRestart, serverStatus],
  },
  {
    name: 'process',
    doc: 'The processes of the running server',
    actions: [processShow, processKill, processKillAll],
  },
  {
    name: 'crontab',
    doc: 'The jobs of the CrontabScheduler',
    actions: [crontabShow, crontabStop, crontabResume, crontabRun, crontabReset],
  },
  { name: 'task', doc: 'The TaskWorkers', actions: [taskStatus, taskReboot] },
  { name: 'user', doc: 'Why did it not arrive? What is known of a user', actions: [userShow] },
  { name: 'message', doc: 'What became of a message', actions: [messageShow] },
  { name: 'config', doc: 'The configuration as it counts', actions: [configShow, configCheck, configSet] },
  { name: 'log', doc: 'The log of the running server', actions: [logReopen] },
  { name: 'service', doc: 'spush under systemd', actions: [servicePrint] },
];

/** Answers the exit code. What is expected to go wrong is printed; what cannot happen is thrown. */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  try {
    return await dispatch(argv, context);
  } catch (thrown) {
    const { error, isBug } = toldFailure(thrown);
    const json = wantsJson(argv);
    if (!isBug) return tellFailure(context.terminal, error, { json });
    if (json) tellFailure(context.terminal, error, { json });
    throw thrown;
  }
}

/**
 * For a command that was ended from outside, by a file of the operator that ends the process; answers the exit code.
 *
 * @param file that was being read; null: none was
 */
export function tellEarlyEnd(
  argv: readonly string[],
  { terminal }: Pick<CliContext, 'terminal'>,
  file: string | null,
): number {
  const error =
    file === null
      ? new SpushError(
          'INTERNAL',
          'spush ended before the command was done: something that was loaded ended the process',
        )
      : configInvalid([
          { where: file, key: null, problem: 'calls process.exit() while it is read', expected: null },
        ]);
  return tellFailure(terminal, error, { json: wantsJson(argv) });
}

async function dispatch(argv: readonly string[], context: CliContext): Promise<number> {
  const { terminal, version } = context;
  const read = readArguments(argv, KINDS);
  if (read.words.length === 0 && isOn(read, 'version')) {
    terminal.print(version);
    return EXIT.done;
  }
  const help = isOn(read, 'h') || read.words.length === 0 || read.words.includes('help');
  const words = read.words.filter((word) => word !== 'help');
  const { group, action } = find(words, read.options);
  if (help) return runCommander([...words.slice(0, 2), '--help'], context);
  if (group && !action) {
    const text = `spush ${group.name} needs an action: ${group.actions.map(({ name }) => name).join(', ')}`;
    const help = `\n${groupHelp(group, (_, plain) => plain)}`;
    return tellFailure(terminal, new SpushError('USAGE', text), { json: wantsJson(argv), help });
  }
  const options = action ? canonical(read.options, action) : read.options;
  if (group && action) refuseUnknownOptions(options, action, `${group.name} ${action.name}`);
  return runCommander(toCommanderArguments({ words: words.slice(0, 2), options }), context, words.slice(2));
}

const ALL_OPTIONS = GROUPS.flatMap(({ actions }) => actions).flatMap(({ options }) => options);

const KINDS: OptionKinds = {
  flags: new Set(['h', 'version', ...ALL_OPTIONS.filter(({ kind }) => kind === 'flag').flatMap(namesOf)]),
  values: new Set(ALL_OPTIONS.filter(({ kind }) => kind === 'value' || kind === 'values').flatMap(namesOf)),
};

function namesOf({ name, aliases = [] }: OptionSpec): string[] {
  return [name, ...aliases];
}

/** Other names become the one of the declaration. */
function canonical(given: ReadArguments['options'], action: CliAction): ReadArguments['options'] {
  return given.map(({ name, value }) => {
    const option = action.options.find((spec) => namesOf(spec).includes(name));
    return { name: option?.name ?? name, value };
  });
}

function find(
  words: readonly string[],
  given: ReadArguments['options'],
): { group: CliGroup | null; action: CliAction | null } {
  const [groupName, actionName, ...rest] = words;
  if (groupName === undefined) return { group: null, action: null };
  const group = GROUPS.find(({ name }) => name === groupName);
  if (!group) throw unknownCommand(groupName);
  if (actionName === undefined) return { group, action: null };
  const action = group.actions.find(({ name }) => name === actionName);
  if (!action) throw unknown(`action of ${groupName}`, actionName, group.actions, `spush ${groupName} -h`);
  const extra = rest[action.words?.max ?? 0];
  if (extra !== undefined) {
    const meant = action.explainWords?.(rest, canonical(given, action)) ?? meantOption(extra, action);
    const hint = meant === null ? '' : `; ${meant}`;
    throw new SpushError('USAGE', `spush ${groupName} ${actionName}: unexpected word '${extra}'${hint}`);
  }
  return { group, action };
}

/** `spush start`: the action without its group. */
function unknownCommand(word: string): SpushError {
  const whole = GROUPS.filter(({ actions }) => actions.some(({ name }) => name === word));
  if (word === 'version')
    return new SpushError('USAGE', "'version' is not a known command. Did you mean spush --version?");
  if (whole.length === 0) return unknown('command', word, GROUPS, 'spush -h');
  const commands = whole.map(({ name }) => `spush ${name} ${word}`).join(' or ');
  return new SpushError('USAGE', `'${word}' is not a known command. Did you mean ${commands}? See spush -h`);
}

function unknown(
  what: string,
  word: string,
  known: readonly Pick<CliAction, 'name' | 'saidAs'>[],
  help: string,
): SpushError {
  const names = known.map(({ name }) => name);
  const meant = known.find(({ saidAs }) => saidAs?.includes(word.toLowerCase()));
  const hint = meant ? ` Did you mean ${meant.name}?` : didYouMean(word, names);
  const list = hint === '' ? ` Known: ${names.join(', ')}.` : hint;
  return new SpushError('USAGE', `'${word}' is not a known ${what}.${list} See ${help}`);
}

function refuseUnknownOptions(options: ReadArguments['options'], action: CliAction, words: string): void {
  const known = ['h', ...action.options.flatMap(namesOf)];
  for (const { name } of options) {
    if (known.includes(name)) continue;
    const near =
      meantByBundle(name, known) ??
      didYouMean(
        name,
        known.filter((other) => other.length > 1),
      );
    throw new SpushError('USAGE', `-${name} is not a known option of ${words}.${near} See spush ${words} -h`);
  }
}

/** `-p9502`: the letter of an option and its value in one word. */
function meantByBundle(name: string, known: readonly string[]): string | null {
  const [, letter, value] = /^([a-z])(\d+)$/.exec(name) ?? [];
  return letter !== undefined && known.includes(letter) ? ` Did you mean -${letter}=${value}?` : null;
}

/** `server stop force`, as in former times: the name of an option without its dash. */
function meantOption(word: string, { options }: CliAction): string | null {
  const option = options.find((each) => namesOf(each).includes(word));
  return option === undefined ? null : `did you mean ${option.kind === 'flag' ? `-${word}` : `-${word}=…`}?`;
}

function isOn({ options }: ReadArguments, flag: string): boolean {
  return options.some(({ name, value }) => name === flag && value === true);
}

/** Commander's result by our names; a value that was not given, or is of another kind, is not there. */
function givenOptions(command: Command, words: readonly string[] = []): GivenOptions {
  const given: Readonly<Record<string, unknown>> = command.opts();
  return {
    words,
    flag: (name) => {
      const value = given[name];
      return typeof value === 'boolean' ? value : undefined;
    },
    value: (name) => {
      const value = given[name];
      return typeof value === 'string' ? value : undefined;
    },
    values: (name) => {
      const values = given[name];
      return Array.isArray(values) ? values.filter((value) => typeof value === 'string') : [];
    },
  };
}

async function runCommander(
  argv: readonly string[],
  context: CliContext,
  words: readonly string[] = [],
): Promise<number> {
  const { terminal } = context;
  let exitCode: number = EXIT.done;
  const program = newCommand('spush', context, () => generalHelp(GROUPS, terminal.paint));
  for (const group of GROUPS) {
    const groupCommand = newCommand(group.name, context, () => groupHelp(group, terminal.paint));
    program.addCommand(groupCommand);
    for (const action of group.actions) {
      const command = newCommand(action.name, context, () => actionHelp(group.name, action, terminal.paint));
      for (const option of action.options) addOption(command, option);
      command.action(async () => {
        exitCode = await action.run(context, givenOptions(command, words));
      });
      groupCommand.addCommand(command);
    }
  }
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.helpDisplayed' || error.code === 'commander.help') return EXIT.done;
    throw new SpushError('USAGE', error.message.replace(/^error: /, ''), { cause: error });
  }
}

function newCommand(name: string, { terminal }: CliContext, help: () => string): Command {
  return new Command(name)
    .exitOverride()
    .helpCommand(false)
    .helpOption('-h, --help')
    .configureOutput({
      writeOut: (text) => terminal.print(text.trimEnd()),
      // What it refuses is thrown as well, and printed where it is caught.
      writeErr: () => {},
      // Colours are decided by Terminal; commander would look at the process's own streams.
      getOutHasColors: () => true,
    })
    .configureHelp({ formatHelp: help });
}

function addOption(command: Command, { name, kind }: OptionSpec): void {
  const dashed = name.length === 1 ? `-${name}, --${name}` : `--${name}`;
  if (kind === 'flag') {
    // Only beside a long name of its own does `--no-x` leave a flag that was not given undefined.
    command.option(dashed).option(`--no-${name}`);
    return;
  }
  const shape = { value: '<text>', values: '<text...>', optional: '[text]' }[kind];
  command.option(`${dashed} ${shape}`);
}
