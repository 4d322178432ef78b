/**
 * In PUSHENV 0 calls from this machine need no proof, and `dev-` keys are nobody's secret. A browser on this machine calls
 * in the name of any page it shows, so what a browser tells of its page decides there:
 *
 *     Origin   the page that calls; a form and a WebSocket carry it too
 *     Host     the name by which it found this server: a page can let a name of its own point here (DNS rebinding), and
 *              then reads the answers as if they were its site's; it cannot do so with an address
 *
 * Both must be of this machine, the configured `Host`, or one of the `origins`.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import type { Config } from '../config/config-schema.js';
import { isLoopback, normalAddress } from './client-address.js';

/** Why a call without a proof is refused; null: it may be made. */
export type ForeignCaller = (headers: IncomingHttpHeaders) => string | null;

/** Every address of the machine. */
const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);
const SHOWN_MAX = 100;

export function foreignCaller({
  env,
  system: { Host },
  api,
}: Pick<Config, 'env' | 'system' | 'api'>): ForeignCaller {
  if (env !== 0) return () => null;
  const origins = new Set(api.origins.map((origin) => origin.toLowerCase()));
  const names = new Set([...origins].map(nameOfOrigin).filter((name) => name !== null));
  const listensEverywhere = Host !== null && WILDCARDS.has(Host);
  if (Host !== null && !listensEverywhere) names.add(plainName(Host));
  const isOurs = (name: string | null): boolean =>
    name !== null && (isOfThisMachine(name) || names.has(name) || (listensEverywhere && isIP(name) !== 0));

  return ({ host, origin, 'sec-fetch-site': site }) => {
    if (host !== undefined && !isOurs(nameOfHost(host))) {
      return `in PUSHENV 0 the Host header must name this machine, and ${shown(host)} does not: call 127.0.0.1, or put http://${shown(host, '')} into api.origins (SPUSH_API_ORIGINS)`;
    }
    const isOwnPage =
      origin === undefined
        ? site !== 'cross-site'
        : origins.has(origin.toLowerCase()) || isOurs(nameOfOrigin(origin));
    if (isOwnPage) return null;
    return `in PUSHENV 0 pages of other machines may not call, and this one is of ${shown(origin ?? 'another site')}: put its Origin into api.origins (SPUSH_API_ORIGINS)`;
  };
}

function isOfThisMachine(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost') || isLoopback(name);
}

/** `https://name:port`; null for what is none, such as the `null` of a page in a sandbox. */
function nameOfOrigin(origin: string): string | null {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#@\s]+)$/i.exec(origin)?.[1];
  return authority === undefined ? null : nameOfHost(authority);
}

/** Without its port. */
function nameOfHost(host: string): string | null {
  const [, bracketed, bare] = /^(?:\[([0-9a-f:.]+)\]|([^\s:[\]/@]+))(?::\d{1,5})?$/i.exec(host.trim()) ?? [];
  const name = bracketed ?? bare;
  return name === undefined ? null : plainName(name);
}

/** One spelling: lower case, no dot at the end, addresses as Node writes them. */
function plainName(name: string): string {
  const lower = name.toLowerCase().replace(/\.$/, '');
  return normalAddress(lower) ?? lower;
}

function shown(text: string, quote = '"'): string {
  return `${quote}${text.slice(0, SHOWN_MAX).replaceAll(/[^\x21-\x7e]/g, '?')}${quote}`;
}
