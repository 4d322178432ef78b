/**
 * `spush service print`: the systemd unit of this installation on standard output, e.g. into
 * /etc/systemd/system/spush.service. Changes nothing.
 *
 * A service with a user of its own writes outside of the program's folder, which is not that user's: below /var/lib and
 * /var/log, unless somebody says where.
 */
import { userInfo } from 'node:os';
import { absolute } from '../../platform/config/config-paths.js';
import { loadConfig } from '../../platform/config/load-config.js';
import { EXIT, SpushError } from '../../shared/base/errors.js';
import { type CliAction, type CliContext, type GivenOptions, JSON_OPTION, MODE_OPTION } from '../action.js';
import { programFolderOf } from '../folders.js';
import {
  environmentFileOf,
  type ServicePlaces,
  serviceUnit,
  USUAL_PLACES,
  usualLogOf,
} from '../service-unit.js';
import { loadOptionsOf } from '../start-options.js';

export const servicePrint: CliAction = {
  name: 'print',
  doc: 'print the systemd unit with the paths of this installation',
  saidAs: ['show', 'install', 'unit'],
  options: [
    MODE_OPTION,
    {
      name: 'user',
      kind: 'value',
      label: '--user=NAME',
      doc: 'user to run as; the present one by default, spush instead of root',
    },
    { name: 'group', kind: 'value', label: '--group=NAME', doc: 'group to run as; named as the user' },
    {
      name: 'home',
      kind: 'value',
      label: '--home=FOLDER',
      doc: `its SPUSH_HOME; with a user of its own ${USUAL_PLACES.home}`,
    },
    {
      name: 'log',
      kind: 'value',
      label: '--log=FOLDER',
      doc: 'its SPUSH_LOG; below /var/log for a home below /var/lib',
    },
    JSON_OPTION,
  ],
  run: async (context, options) => {
    const { config } = await loadConfig(loadOptionsOf(context, options));
    const user = accountName('user', options.value('user') ?? presentUser());
    const home = homeOf(context, options, config.paths.home);
    const log = options.value('log') ?? context.env['SPUSH_LOG'];
    const places: ServicePlaces = {
      node: process.execPath,
      bin: context.launchPath,
      root: config.paths.root,
      home,
      log: log ? absolute(context.cwd, log) : usualLogOf(home),
      environment: environmentFileOf(config.paths.root, programFolderOf(context.launchPath)),
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

function homeOf({ cwd, env }: CliContext, options: GivenOptions, here: string): string {
  const said = options.value('home') ?? env['SPUSH_HOME'];
  if (said) return absolute(cwd, said);
  const hasOwnUser = options.value('user') !== undefined || presentName() === 'root';
  return hasOwnUser ? USUAL_PLACES.home : here;
}

/** Nobody should run a server as root because root typed the command. */
function presentUser(): string {
  const name = presentName();
  return name === 'root' ? 'spush' : name;
}

/** The number where the user has no account, as in many containers. */
function presentName(): string {
  try {
    return userInfo().username;
  } catch (error) {
    const uid = process.getuid?.();
    if (uid === undefined) throw error;
    return uid === 0 ? 'root' : String(uid);
  }
}

/** A name, or the number of an account. */
function accountName(what: string, name: string): string {
  if (/^(?:[A-Za-z_][A-Za-z0-9_.-]{0,30}|\d{1,10})$/.test(name)) return name;
  throw new SpushError('USAGE', `--${what}=${name}: expected the name or the number of a ${what}`);
}
