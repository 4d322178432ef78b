/**
 * `spush service print`: the systemd unit of this installation on standard output, e.g. into
 * /etc/systemd/system/spush.service. Changes nothing.
 */
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { loadConfig } from '../../platform/config/load-config.js';
import { EXIT, SpushError } from '../../shared/base/errors.js';
import { type CliAction, JSON_OPTION, MODE_OPTION } from '../action.js';
import { type ServicePlaces, serviceUnit } from '../service-unit.js';
import { loadOptionsOf } from '../start-options.js';

export const servicePrint: CliAction = {
  name: 'print',
  doc: 'print the systemd unit with the paths of this installation',
  options: [
    MODE_OPTION,
    {
      name: 'user',
      kind: 'value',
      label: '--user=NAME',
      doc: 'user to run as; the present one by default, spush instead of root',
    },
    { name: 'group', kind: 'value', label: '--group=NAME', doc: 'group to run as; named as the user' },
    JSON_OPTION,
  ],
  run: async (context, options) => {
    const { config } = await loadConfig(loadOptionsOf(context, options));
    const user = accountName('user', options.value('user') ?? presentUser());
    const places: ServicePlaces = {
      node: process.execPath,
      bin: join(dirname(dirname(context.mainFile)), 'bin', 'spush.js'),
      root: config.paths.root,
      home: config.paths.home,
      user,
      group: accountName('group', options.value('group') ?? user),
      mode: config.mode,
      stopSeconds: config.system.StopSeconds,
    };
    const unit = serviceUnit(places);
    if (options.flag('json')) context.terminal.printJson({ ...places, unit });
    else context.terminal.print(unit.trimEnd());
    return EXIT.done;
  },
};

/** Nobody should run a server as root because root typed the command. */
function presentUser(): string {
  const { username } = userInfo();
  return username === 'root' ? 'spush' : username;
}

/** A name, or the number of an account. */
function accountName(what: string, name: string): string {
  if (/^(?:[A-Za-z_][A-Za-z0-9_.-]{0,30}|\d{1,10})$/.test(name)) return name;
  throw new SpushError('USAGE', `--${what}=${name}: expected the name or the number of a ${what}`);
}
