/**
 * The configuration as plain data: the master loads it once and sends it to its children, so that all processes of a
 * node have the same one. A function cannot be sent; the child that calls it reads it from its file again.
 */
import * as z from 'zod';
import { AssertionError } from '../../shared/base/assert.js';
import { type ConfigFault, configInvalid } from './config-fault.js';
import { readConf } from './config-file.js';
import { envFile } from './config-paths.js';
import {
  apiSchema,
  type Config,
  dbSchema,
  type GzcpConfig,
  type GzcpToken,
  gzcpSchema,
  redisSchema,
  systemSchema,
} from './config-schema.js';
import { deepFreeze } from './deep-freeze.js';

export type PlainConfig = Omit<Config, 'gzcp'> & {
  readonly gzcp: Omit<GzcpConfig, 'token'> & { readonly tokenIsSet: boolean };
};

export interface FromPlainOptions {
  /** Whether this process calls the main site, and so needs `gzcp.token`. */
  readonly loadFunctions: boolean;
}

const path = z.string().min(1);
const plainSchema = z.object({
  mode: z.string(),
  env: z.literal([0, 1, 2]),
  paths: z.object({
    root: path,
    home: path,
    temp: path,
    log: path,
    data: path,
    pidFile: path,
    socket: path,
    logFile: path,
  }),
  system: systemSchema,
  db: dbSchema,
  redis: redisSchema,
  gzcp: gzcpSchema.omit({ token: true }).extend({ tokenIsSet: z.boolean() }),
  api: apiSchema,
});

export function toPlainConfig(config: Config): PlainConfig {
  const { token, ...gzcp } = config.gzcp;
  return { ...config, gzcp: { ...gzcp, tokenIsSet: token !== null } };
}

/** @param plain what came over the channel, still unchecked. */
export async function fromPlainConfig(plain: unknown, options: FromPlainOptions): Promise<Config> {
  const checked = plainSchema.parse(plain);
  const { tokenIsSet, ...gzcp } = checked.gzcp;
  const token = !tokenIsSet ? null : options.loadFunctions ? await loadToken(checked) : tokenNotLoaded;
  return deepFreeze<Config>({ ...checked, gzcp: { ...gzcp, token } });
}

async function loadToken({ env, paths }: Pick<Config, 'env' | 'paths'>): Promise<GzcpToken> {
  const file = envFile(paths.root, env, 'gzcp');
  const conf = await readConf(file);
  if (conf.state === 'faulty') throw configInvalid([conf.fault]);
  const token = gzcpSchema.shape.token.safeParse(conf.state === 'read' ? conf.values['token'] : undefined);
  if (token.success && token.data !== null) return token.data;
  const fault: ConfigFault = {
    where: file,
    key: 'gzcp.token',
    problem: 'was a function when the master started and is none now',
    expected: 'a function (timestamp, loginkey, secret) => string',
  };
  throw configInvalid([fault]);
}

/** Null would quietly mean the default; a process that calls this was assembled wrongly. */
const tokenNotLoaded: GzcpToken = () => {
  throw new AssertionError('gzcp.token was not loaded in this process');
};
