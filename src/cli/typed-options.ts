/** What was typed behind `server start` or `restart`, for commands that are printed to be copied. */
import { findKey } from '../platform/config/config-keys.js';
import { MASK } from '../platform/config/shown-value.js';
import { shellWord } from '../shared/base/shell-word.js';
import type { GivenOptions } from './action.js';
import { modeOf } from './start-options.js';

/** All but --yes, which is what the printed commands differ in, and --json, which is for scripts. */
export function typedOptions(typed: GivenOptions): string {
  const background = typed.flag('d');
  const [host, port] = [typed.value('host'), typed.value('port')];
  return [
    ...(background === undefined ? [] : [background ? '-d' : '-d=false']),
    ...(typed.flag('force') ? ['-force'] : []),
    `-mode=${modeOf(typed)}`,
    ...(host === undefined ? [] : [`--host=${shellWord(host)}`]),
    ...(port === undefined ? [] : [`--port=${shellWord(port)}`]),
    ...typed.values('set').map((pair) => `--set ${settingWord(pair)}`),
  ].join(' ');
}

/** A value that may be a secret is masked, as what is printed is read by others and kept in logs. */
function settingWord(pair: string): string {
  const equals = pair.indexOf('=');
  const key = pair.slice(0, equals);
  const meta = findKey(key)?.meta;
  const isShown = meta !== undefined && !meta.secret && !meta.address;
  return `${shellWord(key)}=${shellWord(isShown ? pair.slice(equals + 1) : MASK)}`;
}
