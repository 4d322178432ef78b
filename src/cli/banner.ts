/**
 * What `server start` prints once everything listens: the logo, then one line per item as the original does. Only what
 * somebody needs who has just started a server, so that it fits a terminal of 80 columns and 24 lines: the keys are
 * told by `spush config show`.
 */
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join, relative } from 'node:path';
import type { Config } from '../platform/config/config-schema.js';
import { listenHosts } from '../platform/config/listen-hosts.js';
import type { MasterInfo } from '../platform/instance/run-master.js';
import { effectiveMaxLinks } from '../platform/limits/descriptors.js';
import { PACKAGE_ROOT } from '../platform/program/program-files.js';
import { envText } from './env-text.js';
import { modeOption } from './start-options.js';
import type { Paint } from './terminal.js';

const LOGO = [
  '                     _',
  '  ___ _ __  _   _ ___| |__',
  " / __| '_ \\| | | / __| '_ \\",
  ' \\__ \\ |_) | |_| \\__ \\ | | |',
  ' |___/ .__/ \\__,_|___/_| |_|',
  '     |_|',
].join('\n');

const NAME_COLUMNS = 15;
/** A reader that everybody can be: the built-in login of PUSHENV 0 takes `dev-` and a number. */
const EXAMPLE_UID = 176906;

export interface BannerOptions {
  readonly config: Config;
  readonly info: MasterInfo;
  readonly version: string;
  readonly paint: Paint;
  /** Where the command was typed. */
  readonly cwd: string | null;
  /** Of each process; null when it cannot be told. */
  readonly descriptorLimit: number | null;
}

export function banner(options: BannerOptions): string {
  const { config, info, version, paint } = options;
  const { mode, env, paths, system } = config;
  const at = addressesOf(config, info.listen);
  const secure = system.TlsCert === null ? '' : 's';
  const [first = ''] = at.open;
  const items: (readonly [string, string])[] = [
    ['main server', `SPUSH_WEB_SOCKET, spush ${version}, node ${process.versions.node}`],
    ['run mode', `${mode}, pushenv ${envText(env)}`],
    ['listen address', at.listen],
    ['websocket', at.open.map((address) => `ws${secure}://${address}/`).join(' ')],
    ['http', `http${secure}://${first}/readyz (health), /openapi.json (API)`],
    ['processes', `${system.WorkerNum} Worker, ${system.TaskWorkerNum} TaskWorker, 1 CrontabScheduler`],
    ['connections', linksText(config, options.descriptorLimit)],
    ['log', paths.logFile],
    ['data', paths.data],
    ['control socket', paths.socket],
    ['all keys', `spush config show${modeOption(mode)}`],
    ...(env === 0 ? firstSteps(first, secure, options.cwd) : []),
  ];
  const lines = items.map(
    ([name, value]) => paint('green', name.padEnd(NAME_COLUMNS)) + paint('blue', value),
  );
  return [paint('boldGreen', LOGO), ...lines].join('\n');
}

/** `server start as pid 42, in the background` */
export function startedText({ pid }: MasterInfo, mode: string, detached: boolean): string {
  const where = detached ? 'in the background' : 'in the foreground, Ctrl+C stops it';
  const end = detached ? `; spush server stop${modeOption(mode)} ends it` : '';
  return `server start as pid ${pid}, ${where}${end}`;
}

/** How a reader connects and how the main site pushes to it, to be copied. */
function firstSteps(address: string, secure: string, cwd: string | null): [string, string][] {
  const push = `curl ${secure === '' ? '' : 'https://'}${address}/api/comment/message -d 'uid=${EXAMPLE_UID}&title=Hi'`;
  const example = join(PACKAGE_ROOT, 'docs', 'examples', 'reader.mjs');
  // Not every installation has the examples.
  if (!existsSync(example)) return [['push', push]];
  const inside = cwd !== null && (cwd === PACKAGE_ROOT || cwd.startsWith(`${PACKAGE_ROOT}/`));
  const shown = inside ? relative(cwd, example) : example;
  return [
    ['connect', `node ${shown} ${EXAMPLE_UID} ws${secure}://${address}/`],
    ['push', push],
  ];
}

function linksText(config: Config, descriptorLimit: number | null): string {
  const { MaxLinkNumber } = config.system;
  const links = effectiveMaxLinks(config, descriptorLimit);
  return links < MaxLinkNumber
    ? `${links} at most, not MaxLinkNumber ${MaxLinkNumber}: too few open files`
    : `${links} at most`;
}

interface Addresses {
  readonly listen: string;
  /** `host:port` that a client can use, this machine's first. */
  readonly open: readonly string[];
}

function addressesOf(config: Config, listen: string): Addresses {
  const colon = listen.lastIndexOf(':');
  const [host, port] = [listen.slice(0, colon), listen.slice(colon + 1)];
  const { isLocalByDefault } = listenHosts(config);
  if (isLocalByDefault) {
    return { listen: `${listen} (this machine only, until Host is set)`, open: [listen] };
  }
  if (host !== '0.0.0.0' && host !== '[::]') return { listen, open: [listen] };
  const outside = addressOfMachine();
  const hosts = ['127.0.0.1', ...(outside === null ? [] : [outside])];
  return { listen: `${listen} (all addresses)`, open: hosts.map((each) => `${each}:${port}`) };
}

/** One by which others of the network are likely to reach it. */
function addressOfMachine(): string | null {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? null;
}
