/** What a command is: one declaration from which parsing, help, refusals and dispatch come. */
import type { RunMaster } from '../platform/instance/run-master.js';
import type { GivenOption } from './arguments.js';
import type { Person } from './person.js';
import type { Terminal } from './terminal.js';

export interface OptionSpec {
  /** Without dashes. */
  readonly name: string;
  /** optional: a flag that may have a value, after an equals sign only. */
  readonly kind: 'flag' | 'value' | 'values' | 'optional';
  /** As help prints it: `-mode=NAME`. */
  readonly label: string;
  readonly doc: string;
  /** Other names for the same, in this action. */
  readonly aliases?: readonly string[];
}

export interface WordsSpec {
  /** As usage prints them: `KEY VALUE`. */
  readonly label: string;
  readonly max: number;
}

/** What was given, by name without dashes. */
export interface GivenOptions {
  /** Undefined when not given; `-d=false` is false. */
  flag(name: string): boolean | undefined;
  value(name: string): string | undefined;
  values(name: string): readonly string[];
  /** What the action takes without a dash, in order. */
  readonly words: readonly string[];
}

/** What main.ts hands in: everything of the world a command touches. */
export interface CliContext {
  /** Where the command was typed; null when that folder has been removed. */
  readonly cwd: string | null;
  readonly env: NodeJS.ProcessEnv;
  readonly terminal: Terminal;
  readonly person: Person;
  readonly version: string;
  readonly runMaster: RunMaster;
  /** What a detached master is started from: the main file of this build. */
  readonly mainFile: string;
  /** The executable as it was called, links not followed, e.g. `/opt/spush/current/bin/spush.js`. */
  readonly launchPath: string;
  readonly patience: Patience;
}

/** How long a command waits for others, beside what the configuration says. */
export interface Patience {
  /** For an answer on the control socket. */
  readonly answerMs: number;
  /** On top of what a stop or a task may take by the configuration. */
  readonly spareMs: number;
  /** For a master in the background to be ready; it gives up on a child long before. */
  readonly startMs: number;
}

export const PATIENCE: Patience = { answerMs: 3000, spareMs: 10_000, startMs: 60_000 };

export interface CliAction {
  readonly name: string;
  readonly doc: string;
  readonly options: readonly OptionSpec[];
  /** Words after the action, none by default. */
  readonly words?: WordsSpec;
  /** What else people call it, for the hint when they do. */
  readonly saidAs?: readonly string[];
  /** What was probably meant by words that the action does not take, with the right command; null: it cannot be told. */
  explainWords?(words: readonly string[], given: readonly GivenOption[]): string | null;
  /** Answers the exit code; an expected failure is a thrown SpushError. */
  run(context: CliContext, options: GivenOptions): Promise<number>;
}

export interface CliGroup {
  readonly name: string;
  readonly doc: string;
  readonly actions: readonly CliAction[];
}

export const MODE_OPTION: OptionSpec = {
  name: 'mode',
  kind: 'value',
  label: '-mode=NAME',
  doc: 'name of the instance; websocket by default',
};
export const JSON_OPTION: OptionSpec = {
  name: 'json',
  kind: 'flag',
  label: '--json',
  doc: 'print JSON, for scripts',
};
export const FORCE_OPTION: OptionSpec = {
  name: 'f',
  kind: 'flag',
  label: '-f',
  doc: 'kill (SIGKILL) instead of letting it finish its work',
  aliases: ['force'],
};
export const HELP_OPTION: OptionSpec = { name: 'h', kind: 'flag', label: '-h', doc: 'print this help' };
