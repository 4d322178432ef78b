/** The options of `server start`: what of the configuration is set on the command line. */
import { DEFAULT_MODE } from '../platform/config/config-paths.js';
import type { LoadOptions } from '../platform/config/load-config.js';
import { SpushError } from '../shared/base/errors.js';
import { type GivenOptions, MODE_OPTION, type OptionSpec } from './action.js';

export const START_OPTIONS: readonly OptionSpec[] = [
  MODE_OPTION,
  { name: 'host', kind: 'value', label: '--host=ADDRESS', doc: 'address to listen on, instead of Host' },
  {
    name: 'port',
    kind: 'value',
    label: '-p, --port=NUMBER',
    doc: 'port to listen on, instead of Port',
    aliases: ['p'],
  },
  {
    name: 'set',
    kind: 'values',
    label: '--set KEY=VALUE',
    doc: 'any key of the configuration, e.g. --set gzcp.deadlineMs=1000; may be repeated',
  },
];

export function modeOf(options: GivenOptions): string {
  return options.value('mode') ?? DEFAULT_MODE;
}

/** For a command that is printed: with the blank before it; the usual mode need not be named. */
export function modeOption(mode: string): string {
  return mode === DEFAULT_MODE ? '' : ` -mode=${mode}`;
}

export function loadOptionsOf(
  { cwd, env }: { cwd: string | null; env: NodeJS.ProcessEnv },
  options: GivenOptions,
): LoadOptions {
  return { cwd, env, mode: modeOf(options), settings: settingsOf(options) };
}

function settingsOf(options: GivenOptions): Record<string, string> {
  const settings: Record<string, string> = {};
  const host = options.value('host');
  const port = options.value('port');
  if (host !== undefined) settings['Host'] = host;
  if (port !== undefined) settings['Port'] = port;
  for (const pair of options.values('set')) {
    const equals = pair.indexOf('=');
    // What was given is not shown: it may be the value of a secret.
    if (equals < 1) throw new SpushError('USAGE', '--set takes KEY=VALUE, e.g. --set WorkerNum=2');
    settings[pair.slice(0, equals)] = pair.slice(equals + 1);
  }
  return settings;
}
