/** Paths in the configuration are written relative to the folder they belong to; programs get absolute ones. */
import { resolve } from 'node:path';
import type { Config } from './config-schema.js';

export function resolveFilePaths(config: Config): Config {
  const { paths, system, db, redis } = config;
  return {
    ...config,
    // Certificates are the operator's files; the embedded store is one that spush writes.
    system: {
      ...system,
      TlsCert: system.TlsCert === null ? null : resolve(paths.root, system.TlsCert),
      TlsKey: system.TlsKey === null ? null : resolve(paths.root, system.TlsKey),
    },
    redis: { ...redis, tlsCa: redis.tlsCa === null ? null : resolve(paths.root, redis.tlsCa) },
    db: { ...db, file: db.file === null ? null : resolve(paths.home, db.file) },
  };
}
