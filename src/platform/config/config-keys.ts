/**
 * The keys of config-schema.ts as a flat list: for each its file, its path as people write it, its name in the
 * environment, and what it takes in words. Everything that goes through "all keys" goes through this list.
 */
import * as z from 'zod';
import { type Config, type ConfigFile, configFiles, type KeyMeta } from './config-schema.js';
import { inWords, type JsonSchema, kindsOf, partAt, type ValueKind } from './schema-words.js';

export interface ConfigKey {
  readonly file: ConfigFile;
  readonly name: string;
  /** `MaxLinkNumber` for SystemConf, `gzcp.verifyUrl` for the others. */
  readonly path: string;
  /** `SPUSH_MAX_LINK_NUMBER`, `SPUSH_GZCP_VERIFY_URL`. */
  readonly envName: string;
  readonly schema: z.ZodType;
  readonly meta: KeyMeta;
  /** Kinds of value it takes as text: decides how the environment is read. */
  readonly kinds: () => ReadonlySet<ValueKind>;
  /** What it, or the part of it at this path, takes: `a whole number from 1 to 256`; without the unit. */
  readonly expected: (path?: readonly PropertyKey[]) => string;
}

export const CONFIG_KEYS: readonly ConfigKey[] = (Object.keys(configFiles) as ConfigFile[]).flatMap((file) =>
  Object.entries<z.ZodType>(configFiles[file].shape).map(([name, schema]) => toKey(file, name, schema)),
);

const BY_PATH = new Map(CONFIG_KEYS.map((key) => [key.path, key]));

export function findKey(path: string): ConfigKey | undefined {
  return BY_PATH.get(path);
}

export function keysOf(file: ConfigFile): readonly ConfigKey[] {
  return CONFIG_KEYS.filter((key) => key.file === file);
}

export function valueAt(
  config: Pick<Config, ConfigFile>,
  { file, name }: Pick<ConfigKey, 'file' | 'name'>,
): unknown {
  return (config[file] as Readonly<Record<string, unknown>>)[name];
}

/** `MaxLinkNumber` → `MAX_LINK_NUMBER`, `verifyUrl` → `VERIFY_URL`. */
export function upperSnake(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase();
}

function toKey(file: ConfigFile, name: string, schema: z.ZodType): ConfigKey {
  // Made when it is asked for: most processes ask for that of none or of a few keys.
  let made: JsonSchema | null = null;
  const json = (): JsonSchema => {
    made ??= z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
    return made;
  };
  const isFunction = name === 'token' && file === 'gzcp';
  return {
    file,
    name,
    path: file === 'system' ? name : `${file}.${name}`,
    envName: `SPUSH_${file === 'system' ? '' : `${file.toUpperCase()}_`}${upperSnake(name)}`,
    schema,
    meta: schema.meta() as unknown as KeyMeta,
    kinds: () => (isFunction ? new Set(['function', 'null']) : kindsOf(json())),
    expected: (path = []) =>
      isFunction
        ? 'a function (timestamp, loginkey, secret) => string, or null'
        : inWords(partAt(json(), path)),
  };
}
