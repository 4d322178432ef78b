/** `spush config set`: a live key of the running server, kept until the next reload says otherwise. */
import { EXIT, SpushError } from '../../shared/base/errors.js';
import { type CliAction, JSON_OPTION, MODE_OPTION } from '../action.js';
import { callForLong } from '../long-call.js';
import { tellMaster } from '../master-call.js';

const USAGE = 'spush config set KEY VALUE, e.g. spush config set MaxLinkNumber 20000';

export const configSet: CliAction = {
  name: 'set',
  doc: 'set a live key of the running server, until the next reload',
  options: [MODE_OPTION, JSON_OPTION],
  words: { label: 'KEY VALUE', max: 2 },
  run: async (context, options) => {
    const { terminal } = context;
    const args = readPair(options.words);
    // Workers are started, or hand their connections over and end.
    const change =
      args.key === 'WorkerNum'
        ? await callForLong(context, options, { command: 'config.set', args, before: 'stop' })
        : await tellMaster(context, options, 'config.set', args);
    if (options.flag('json')) {
      terminal.printJson(change);
      return EXIT.done;
    }
    const { key, before, after, warning } = change;
    terminal.print(terminal.paint('green', `${key}: ${shown(before)} → ${shown(after)}`));
    terminal.print('until the next reload or restart; to keep it, set it in its file as well');
    if (warning !== null) terminal.print(terminal.paint('red', `warning: ${warning}`));
    return EXIT.done;
  },
};

/** `KEY VALUE` or `KEY=VALUE`. */
function readPair(words: readonly string[]): { key: string; value: string } {
  const [first = '', second] = words;
  const equals = first.indexOf('=');
  const [key, value] =
    second === undefined && equals > 0 ? [first.slice(0, equals), first.slice(equals + 1)] : [first, second];
  if (key === '' || value === undefined)
    throw new SpushError('USAGE', `expected a key and a value: ${USAGE}`);
  return { key, value };
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '-');
}
