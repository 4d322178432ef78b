/** Why a process could not start because of Redis: where, what it said, what to do. Never the password. */
import { errorText, isSpushError, SpushError } from '../../../shared/base/errors.js';
import type { RedisConfig } from '../../config/config-schema.js';
import { whereRedisIs } from './redis-layout.js';

export function startFault(redis: RedisConfig, error: unknown): SpushError {
  if (isSpushError(error, 'START_FAILED')) return error;
  const said = reasonOf(error);
  return new SpushError(
    'START_FAILED',
    `${whereRedisIs(redis)} cannot be used: ${said}; ${adviceFor(said, redis)}`,
    {
      cause: error,
    },
  );
}

/** Node gathers the errors of several addresses of one name under an empty text. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(errorText).join('; ');
  return errorText(error);
}

function adviceFor(said: string, { sentinels, nodes, sentinelName, tls }: RedisConfig): string {
  if (/NOAUTH|WRONGPASS|AUTH/.test(said)) {
    return sentinels.length > 0
      ? 'set SPUSH_REDIS_PASSWORD, SPUSH_REDIS_SENTINEL_PASSWORD and redis.username to what Redis and the Sentinels expect'
      : 'set SPUSH_REDIS_PASSWORD and redis.username to what Redis expects';
  }
  if (/NOPERM/.test(said)) {
    return 'the user of redis.username needs the commands PUBLISH, SUBSCRIBE, SPUBLISH, SSUBSCRIBE, SET, PING, INFO and ROLE, and the channels and keys of redis.prefix';
  }
  if (/No such master/.test(said))
    return `look for ${sentinelName} with SENTINEL MASTERS, and correct redis.sentinelName`;
  if (/cluster support disabled/.test(said))
    return 'it is a single server: set redis.host and redis.port instead of redis.nodes';
  if (/MOVED|cluster mode/i.test(said)) return 'it is a Cluster: set redis.nodes instead of redis.host';
  if (/ENOTFOUND|EAI_AGAIN/.test(said)) return 'correct the name, or the name service';
  if (/certificate|SSL|TLS|EPROTO|altname/i.test(said)) {
    return tls ? 'correct redis.tls and redis.tlsCa' : 'set redis.tls if it expects TLS';
  }
  if (/a slave|no primary/.test(said)) return 'give the address of the primary, or use redis.sentinels';
  const keys =
    nodes.length > 0 ? 'redis.nodes' : sentinels.length > 0 ? 'redis.sentinels' : 'redis.host and redis.port';
  return `start it, or correct ${keys}; try: redis-cli -h HOST -p PORT ping`;
}
