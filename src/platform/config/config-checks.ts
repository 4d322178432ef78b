/**
 * What keys demand of each other, and what an environment demands of them. A check is left out when one of its keys is
 * faulty by itself: a guess at what was meant would mislead.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { errorText } from '../../shared/base/errors.js';
import { type ConfigFault, valueText } from './config-fault.js';
import { type ConfigKey, findKey } from './config-keys.js';
import { envFile } from './config-paths.js';
import type { ConfigRule, Finding } from './config-rule.js';
import type { Config, ConfigFile } from './config-schema.js';
import { type ConfigSource, sourceText } from './config-source.js';
import { envRules } from './env-rules.js';

/** @param missing files of the environment that are not there; a change of one key does not ask for them. */
export async function crossCheck(
  config: Config,
  sources: ReadonlyMap<string, ConfigSource>,
  faultyKeys: ReadonlySet<string>,
  missing: ReadonlySet<ConfigFile> = new Set(),
): Promise<ConfigFault[]> {
  const faults: ConfigFault[] = [];
  for (const { keys, find } of [
    ...limitChecks(config),
    ...tlsChecks(config),
    ...redisChecks(config),
    ...apiChecks(config),
    ...originChecks(config),
    ...envRules({ config, sources, missing }),
  ]) {
    if (keys.some((key) => faultyKeys.has(key))) continue;
    const finding = await find();
    if (finding) faults.push({ where: whereOf(keys[0], config, sources), key: keys[0], ...finding });
  }
  return faults;
}

function limitChecks({ system }: Config): ConfigRule[] {
  return [
    {
      keys: ['OutboxHardBytes', 'OutboxSoftBytes'],
      find: () =>
        system.OutboxHardBytes > system.OutboxSoftBytes
          ? null
          : {
              problem: `is ${system.OutboxHardBytes}`,
              expected: `more than OutboxSoftBytes, which is ${system.OutboxSoftBytes} (bytes)`,
            },
    },
  ];
}

function tlsChecks({ system: { TlsCert, TlsKey } }: Config): ConfigRule[] {
  if (TlsCert === null && TlsKey === null) return [];
  if (TlsKey === null) return [{ keys: ['TlsKey', 'TlsCert'], find: () => missingBeside('TlsCert') }];
  if (TlsCert === null) return [{ keys: ['TlsCert', 'TlsKey'], find: () => missingBeside('TlsKey') }];
  return [
    { keys: ['TlsCert'], find: () => unreadable(TlsCert) },
    { keys: ['TlsKey'], find: () => unreadable(TlsKey) },
    { keys: ['TlsCert', 'TlsKey'], find: () => unfit(TlsCert, TlsKey) },
  ];
}

function missingBeside(other: string): Finding {
  return { problem: 'is not set', expected: `the path of a PEM file, as ${other} is set` };
}

async function unreadable(file: string): Promise<Finding | null> {
  try {
    await readFile(file);
    return null;
  } catch (error) {
    return {
      problem: `is ${file}, which cannot be read: ${errorText(error)}`,
      expected: 'the path of a PEM file',
    };
  }
}

async function unfit(certFile: string, keyFile: string): Promise<Finding | null> {
  if ((await unreadable(certFile)) || (await unreadable(keyFile))) return null;
  try {
    createSecureContext({ cert: await readFile(certFile), key: await readFile(keyFile) });
    return null;
  } catch (error) {
    return {
      problem: `is ${certFile}, which does not work with ${keyFile}: ${errorText(error)}`,
      expected: 'a PEM certificate chain whose first certificate belongs to TlsKey',
    };
  }
}

function redisChecks({ redis }: Config): ConfigRule[] {
  const ids = redis.busKeys.map(({ id }) => id);
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  const cluster = redis.nodes.length > 0;
  const sentinel = redis.sentinels.length > 0;
  const unless = (right: boolean, problem: string, expected: string): Finding | null =>
    right ? null : { problem, expected };
  return [
    {
      keys: ['redis.nodes', 'redis.sentinels'],
      find: () =>
        unless(!(cluster && sentinel), 'is set beside sentinels', 'nodes (Cluster) or sentinels, not both'),
    },
    {
      keys: ['redis.sentinelName', 'redis.sentinels'],
      find: () =>
        sentinel && redis.sentinelName === null
          ? {
              problem: 'is not set',
              expected: 'the name under which the sentinels watch Redis, e.g. mymaster',
            }
          : unless(
              sentinel || redis.sentinelName === null,
              `is ${redis.sentinelName}`,
              'sentinels beside it',
            ),
    },
    {
      keys: ['redis.db', 'redis.nodes'],
      find: () => unless(!cluster || redis.db === 0, `is ${redis.db}`, '0, as a Cluster has no other'),
    },
    {
      keys: ['redis.prefix', 'redis.nodes'],
      find: () =>
        unless(
          !cluster || !/[{}]/.test(redis.prefix),
          `is ${redis.prefix}`,
          'a text without { and }, which would put every channel on one node of the Cluster',
        ),
    },
    {
      keys: ['redis.busKeys'],
      find: () => unless(twice === undefined, `has the id ${twice} twice`, 'an id of its own for every key'),
    },
    ...(redis.tlsCa === null ? [] : [{ keys: ['redis.tlsCa'] as const, find: caFinder(redis.tlsCa) }]),
  ];
}

function caFinder(file: string): () => Promise<Finding | null> {
  return () => unreadable(file);
}

/** The old token proves nothing of what is called, so the address has to; and it is made with the secret of a key. */
function apiChecks({ api }: Config): ConfigRule[] {
  const allow = `addresses in allow (${findKey('api.allow')?.envName}) that may call with the old token; it is good for any text for a minute`;
  const keys = `a key in keys (${findKey('api.keys')?.envName}), with whose secret the old token is made; without one every call is answered 401`;
  const unless = (right: boolean, problem: string, expected: string): Finding | null =>
    right || !api.legacyToken ? null : { problem, expected };
  return [
    {
      keys: ['api.legacyToken', 'api.allow'],
      find: () => unless(api.allow.length > 0, 'is true and allow is empty', allow),
    },
    {
      keys: ['api.legacyToken', 'api.keys'],
      find: () => unless(api.keys.length > 0, 'is true and keys is empty', keys),
    },
  ];
}

/** A browser sends scheme, name and a port that is not the usual one, nothing behind; what is written otherwise fits no page. */
function originChecks({ api }: Config): ConfigRule[] {
  const wrong = api.origins.find((origin) => originOf(origin) !== origin.toLowerCase());
  if (wrong === undefined) return [];
  const right = originOf(wrong);
  const expected = `origins as browsers send them, without a path or a slash at the end, such as ${right ?? 'https://www.your-site.com'}`;
  return [{ keys: ['api.origins'], find: () => ({ problem: `has ${valueText(wrong)}`, expected }) }];
}

/** As a browser would send it; null for what is no origin. Apps have schemes of their own, of which nothing is known. */
function originOf(text: string): string | null {
  if (text === 'null') return text;
  const own = /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]*/i.exec(text)?.[0];
  if (own === undefined) return null;
  if (!/^https?:/i.test(own)) return own.toLowerCase();
  return URL.canParse(own) ? new URL(own).origin : null;
}

/** Where the value came from, or else the file it would be set in. */
function whereOf(path: string, config: Config, sources: ReadonlyMap<string, ConfigSource>): string {
  const source = sources.get(path);
  const key = findKey(path);
  if ((source === undefined || source.kind === 'default') && key) return homeOf(key, config);
  return sourceText(source ?? { kind: 'default' });
}

function homeOf({ file }: ConfigKey, { paths, env }: Config): string {
  return file === 'system' ? join(paths.root, 'conf', 'SystemConf.ts') : envFile(paths.root, env, file);
}
