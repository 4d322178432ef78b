/**
 * Help in the original's layout: description, usage, then actions or commands, then options, names padded to the
 * longest. Made from the declarations alone: no configuration and no code of the operator is loaded.
 */
import { type CliAction, type CliGroup, HELP_OPTION, type OptionSpec } from './action.js';
import type { Paint } from './terminal.js';

export function generalHelp(groups: readonly CliGroup[], paint: Paint): string {
  const rows = groups.map(({ name, doc }) => ({ name, doc })).sort((a, b) => a.name.localeCompare(b.name));
  return [
    paint('brown', 'Welcome to spush, the push server'),
    ...usage('spush COMMAND -h', paint),
    ...section('Commands:', rows, paint),
    '',
    'Options may have any number of dashes: -mode=x and --mode=x are the same. spush --version prints the version.',
  ].join('\n');
}

export function groupHelp({ name, doc, actions }: CliGroup, paint: Paint): string {
  const options = new Map(actions.flatMap((action) => action.options.map((option) => [option.name, option])));
  return [
    paint('brown', doc),
    ...usage(`spush ${name} ACTION [--opts ...]`, paint),
    ...section('Actions:', actions, paint),
    ...optionSection([...options.values()], paint),
  ].join('\n');
}

export function actionHelp(group: string, { name, doc, options, words }: CliAction, paint: Paint): string {
  const line = ['spush', group, name, ...(words ? [words.label] : []), '[--opts ...]'].join(' ');
  return [paint('brown', doc), ...usage(line, paint), ...optionSection(options, paint)].join('\n');
}

function usage(text: string, paint: Paint): string[] {
  return [paint('brown', 'Usage:'), `  ${paint('cyan', text)}`];
}

function optionSection(options: readonly OptionSpec[], paint: Paint): string[] {
  const rows = [...options, HELP_OPTION].map(({ label, doc }) => ({ name: label, doc }));
  return section('Options:', rows, paint);
}

function section(title: string, rows: readonly { name: string; doc: string }[], paint: Paint): string[] {
  const width = Math.max(...rows.map(({ name }) => name.length));
  return [
    paint('brown', title),
    ...rows.map(({ name, doc }) => `  ${paint('green', name.padEnd(width))}  ${doc}`),
  ];
}
