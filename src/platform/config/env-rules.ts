/**
 * What PUSHENV 1 and 2 demand, so that a configuration that passes can work: files that are there, keys without which every
 * push or every login is refused, and addresses that are not those of the samples. PUSHENV 0 demands nothing.
 */
import { withoutSecrets } from './address-text.js';
import { findKey } from './config-keys.js';
import type { ConfigRule, Finding } from './config-rule.js';
import { type Config, type ConfigFile, ENV_NAMES } from './config-schema.js';
import type { SourcedConfig } from './key-readings.js';
import { listenHosts } from './listen-hosts.js';
import { isLeftOut, isSampleHost, isShownSecret } from './sample-values.js';

interface EnvRulesInput extends SourcedConfig {
  /** Files of this environment that are not there. */
  readonly missing: ReadonlySet<ConfigFile>;
}

export function envRules(input: EnvRulesInput): ConfigRule[] {
  const { config } = input;
  if (config.env === 0) return [];
  return [
    ...lostFiles(input),
    ...neededKeys(input),
    ...sampleAddresses(config),
    ...sampleSecrets(config),
    ...samePlaces(config),
  ];
}

/**
 * Files whose keys all have a default, which would silently stand for what the file said: the database of Online, a Redis on
 * this machine. A node that is told its places in the environment, such as a container, needs no file.
 */
function lostFiles({ config, sources, missing }: EnvRulesInput): ConfigRule[] {
  const isSet = (path: string): boolean => (sources.get(path) ?? { kind: 'default' }).kind !== 'default';
  const isTest = config.env === 1;
  const rules: ConfigRule[] = [];
  if (missing.has('db')) {
    const unset = ['db.host', 'db.database'].filter((path) => !isSet(path));
    const sample = `host: '10.0.0.5', user: 'spush', database: 'spush${isTest ? '_test' : ''}'`;
    rules.push(...lostFile({ config, file: 'db', unset, sample, keys: ['db.host', 'db.database'] }));
  }
  if (missing.has('redis')) {
    const places = ['redis.host', 'redis.sentinels', 'redis.nodes'];
    const unset = places.some(isSet) ? [] : ['redis.host'];
    const sample = `host: '10.0.0.6', prefix: 'spush${isTest ? '-test' : ''}:'`;
    rules.push(...lostFile({ config, file: 'redis', unset, sample, keys: places }));
  }
  return rules;
}

interface LostFile {
  readonly config: Config;
  readonly file: ConfigFile;
  /** Keys that only a default says. */
  readonly unset: readonly string[];
  readonly keys: readonly string[];
  readonly sample: string;
}

function lostFile({ config: { env }, file, unset, keys, sample }: LostFile): ConfigRule[] {
  const [first] = unset;
  if (first === undefined) return [];
  const finding: Finding = {
    problem: 'is not set, and this file is missing',
    expected: `the file, e.g. export default { ${sample} }; (spush comes with conf/${ENV_NAMES[env]}/${file}.ts), or ${unset.map(envNameOf).join(' and ')}`,
  };
  return [{ keys: [first, ...keys], find: () => finding }];
}

function neededKeys({ config, missing }: EnvRulesInput): ConfigRule[] {
  const { env, db, gzcp, api, redis } = config;
  const needed = (path: string, given: boolean, what: string): ConfigRule => {
    const file = findKey(path)?.file;
    const isLost = file !== undefined && missing.has(file);
    const finding: Finding = {
      problem: isLost ? 'is not set, and this file is missing' : 'is not set',
      expected: `${what}, here or in ${envNameOf(path)}`,
    };
    return { keys: [path], find: () => (given ? null : finding) };
  };
  const secretOfSite = needed(
    'gzcp.secret',
    gzcp.secret !== '' || gzcp.token !== null,
    'the secret shared with the main site, without which it knows no login key (a new one for both: openssl rand -hex 32)',
  );
  const always = [
    needed(
      'gzcp.verifyUrl',
      gzcp.verifyUrl !== null,
      "the address that tells whose key it is, without which nobody can log in, e.g. verifyUrl: 'https://MAIN.SITE/push/user/getappuid'",
    ),
    needed(
      'redis.busKeys',
      redis.busKeys.length > 0,
      'at least one key for what nodes tell each other (make a secret: openssl rand -hex 32), e.g. \'[{"id":"a","secret":"…"}]\', the same on all nodes',
    ),
    needed(
      'api.keys',
      api.keys.length > 0,
      'at least one key for signed calls, without which every push is answered 401 (make a secret: openssl rand -hex 32), e.g. \'{"gzcp":"…"}\'',
    ),
    { ...secretOfSite, keys: ['gzcp.secret', 'gzcp.token'] as const },
  ];
  if (env === 1) return always;
  return [
    ...always,
    needed(
      'api.origins',
      api.origins.length > 0,
      'the origins of the pages that may connect, e.g. ["https://www.your-site.com"]',
    ),
    needed('db.password', db.password !== '', 'the password of the database'),
  ];
}

function sampleAddresses({ db, redis, gzcp, api }: Config): ConfigRule[] {
  const sample = (path: string, shown: string, isSample: boolean, expected: string): ConfigRule => ({
    keys: [path],
    find: () => (isSample ? { problem: `is ${shown}, a name out of a sample`, expected } : null),
  });
  const lists = (path: string, list: readonly string[], expected: string): ConfigRule =>
    sample(path, list.join(', '), list.length > 0 && list.every(isSampleHost), expected);
  const { sentinels, nodes } = redis;
  const isOneRedis = sentinels.length === 0 && nodes.length === 0;
  const url = gzcp.verifyUrl ?? '';
  return [
    sample('gzcp.verifyUrl', withoutSecrets(url), isSampleHost(url), 'the address of your main site'),
    sample('db.host', db.host, isSampleHost(db.host), 'the address of your database'),
    sample('redis.host', redis.host, isOneRedis && isSampleHost(redis.host), 'the address of your Redis'),
    lists('redis.sentinels', sentinels, 'the addresses of your Sentinels'),
    lists('redis.nodes', nodes, 'the addresses of your Redis Cluster'),
    lists('api.origins', api.origins, 'the origins of your pages: all others are refused'),
  ];
}

function sampleSecrets({ api, gzcp, db, redis }: Config): ConfigRule[] {
  const sample = (path: string, isSample: boolean): ConfigRule => ({
    keys: [path],
    find: () =>
      isSample
        ? {
            problem: 'has the secret of a sample, which everybody knows',
            expected: 'a secret of your own: openssl rand -hex 32',
          }
        : null,
  });
  return [
    sample(
      'api.keys',
      api.keys.some((key) => isShownSecret(key.secret)),
    ),
    sample('gzcp.secret', isLeftOut(gzcp.secret)),
    sample('db.password', isLeftOut(db.password)),
    sample('redis.password', isLeftOut(redis.password)),
    sample('redis.sentinelPassword', isLeftOut(redis.sentinelPassword)),
  ];
}

const THIS_MACHINE = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i;
const ALL_ADDRESSES: readonly string[] = ['0.0.0.0', '::'];

/** Two things at one port: one of them cannot be there. */
function samePlaces(config: Config): ConfigRule[] {
  const { db, redis, gzcp } = config;
  const { Port } = config.system;
  const isOneRedis = redis.sentinels.length === 0 && redis.nodes.length === 0;
  const { host: ownHost } = listenHosts(config);
  // Of an address of the network only, another program may have the same port on loopback.
  const isOnLoopback = ALL_ADDRESSES.includes(ownHost) || THIS_MACHINE.test(ownHost);
  const isOurs = (host: string, port: number): boolean =>
    isOnLoopback && Port !== 0 && port === Port && THIS_MACHINE.test(host);
  const site = gzcp.verifyUrl === null ? null : new URL(gzcp.verifyUrl);
  const sitePort = Number(site?.port || (site?.protocol === 'https:' ? 443 : 80));
  const same = (keys: ConfigRule['keys'], isSame: boolean, value: string, other: string): ConfigRule => ({
    keys,
    find: () => (isSame ? { problem: `is ${value}, as is ${other}`, expected: 'another one' } : null),
  });
  const ourPort = 'the port that spush itself listens on (Port)';
  return [
    same(
      ['redis.port', 'redis.host', 'db.host', 'db.port'],
      isOneRedis && redis.port === db.port && redis.host.toLowerCase() === db.host.toLowerCase(),
      `${redis.port} of ${redis.host}`,
      'the port of the database (db.host, db.port)',
    ),
    same(['db.port', 'db.host', 'Port'], isOurs(db.host, db.port), `${db.port} of ${db.host}`, ourPort),
    same(
      ['redis.port', 'redis.host', 'Port'],
      isOneRedis && isOurs(redis.host, redis.port),
      `${redis.port} of ${redis.host}`,
      ourPort,
    ),
    same(
      ['gzcp.verifyUrl', 'Port'],
      site !== null && isOurs(site.hostname, sitePort),
      withoutSecrets(gzcp.verifyUrl ?? ''),
      ourPort,
    ),
  ];
}

function envNameOf(path: string): string {
  return findKey(path)?.envName ?? path;
}
