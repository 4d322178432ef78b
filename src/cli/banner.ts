/**
 * What `server start` prints once everything listens: the logo, then one line per item in the original's order: main
 * server, address, port, settings, versions, run mode, folders.
 */

import { ENV_NAMES } from '../platform/config/config-schema.js';
import { describeConfig } from '../platform/config/describe-config.js';
import { listenHosts } from '../platform/config/listen-hosts.js';
import type { LoadedConfig } from '../platform/config/load-config.js';
import type { MasterInfo } from '../platform/instance/run-master.js';
import type { Paint } from './terminal.js';

export const LOGO = [
  '                     _',
  '  ___ _ __  _   _ ___| |__',
  " / __| '_ \\| | | / __| '_ \\",
  ' \\__ \\ |_) | |_| \\__ \\ | | |',
  ' |___/ .__/ \\__,_|___/_| |_|',
  '     |_|',
].join('\n');

const NAME_COLUMNS = 30;
const LOCAL_ONLY = 'this machine only, as PUSHENV is 0; others reach it when Host is set';

export interface BannerOptions {
  readonly loaded: LoadedConfig;
  readonly info: MasterInfo;
  readonly version: string;
  readonly paint: Paint;
}

export function banner({ loaded, info, version, paint }: BannerOptions): string {
  const { config } = loaded;
  const { host, port } = splitListen(info.listen);
  const items: [string, unknown][] = [
    ['main server', 'SPUSH_WEB_SOCKET'],
    ['listen address', listenHosts(config).isLocalByDefault ? `${host} (${LOCAL_ONLY})` : host],
    ['listen port', port],
    ...settings(loaded),
    ['spush version', version],
    ['node version', process.versions.node],
    ['run mode', config.mode],
    ['pushenv', `${config.env} (${ENV_NAMES[config.env]})`],
    ['temp dir', config.paths.temp],
    ['log dir', config.paths.log],
    ['data dir', config.paths.data],
  ];
  const lines = items.map(
    ([name, value]) => paint('green', name.padEnd(NAME_COLUMNS)) + paint('blue', shown(value)),
  );
  return [paint('boldGreen', LOGO), ...lines].join('\n');
}

/** All of SystemConf, and of the other files what is not at its default; secrets are masked where rows are made. */
function settings(loaded: LoadedConfig): [string, unknown][] {
  return describeConfig(loaded)
    .filter(({ file, key, source }) =>
      file === 'system' ? key !== 'Host' && key !== 'Port' : file !== 'bootstrap' && source !== 'default',
    )
    .map(({ key, value }) => [key, value]);
}

function splitListen(listen: string): { host: string; port: string } {
  const colon = listen.lastIndexOf(':');
  return { host: listen.slice(0, colon), port: listen.slice(colon + 1) };
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
