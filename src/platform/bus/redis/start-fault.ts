/** Why a process could not start because of Redis: where, what it said, what to do. Never the password. */
import { errorText, isSpushError, SpushError } from '../../../shared/base/errors.js';
import type { RedisConfig } from '../../config/config-schema.js';
import { NO_SENTINEL, whereRedisIs } from './redis-layout.js';
import { redisAclRules, SENTINEL_ACL_RULES } from './redis-rights.js';

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
  // Some of Redis' texts end with a full stop, and the sentence goes on.
  return errorText(error).replace(/\.$/, '');
}

function adviceFor(said: string, redis: RedisConfig): string {
  const { sentinels, nodes, sentinelName, tls } = redis;
  if (/NOAUTH|WRONGPASS|AUTH/.test(said)) {
    return sentinels.length > 0
      ? 'set SPUSH_REDIS_PASSWORD, SPUSH_REDIS_SENTINEL_PASSWORD, redis.username and redis.sentinelUsername to what Redis and the Sentinels expect'
      : 'set SPUSH_REDIS_USERNAME (redis.username) and SPUSH_REDIS_PASSWORD to what Redis expects';
  }
  if (/NOPERM/.test(said)) return aclAdvice(said, redis);
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

/** The prefix is part of it: a user made for another one may do all commands, and is refused on every channel. */
function aclAdvice(said: string, redis: RedisConfig): string {
  if (said.includes(NO_SENTINEL)) {
    const user = redis.sentinelUsername ?? 'default';
    return `at each Sentinel, let its user do this: ACL SETUSER ${user} ${quoted(SENTINEL_ACL_RULES)}`;
  }
  const where = redis.nodes.length > 0 ? 'at each node of the Cluster' : 'at this Redis and its replicas';
  const prefix = `redis.prefix is ${JSON.stringify(redis.prefix)}`;
  return `${prefix}; ${where}, let its user do this: ACL SETUSER ${redis.username ?? 'default'} ${quoted(redisAclRules(redis))}`;
}

/** As a shell takes it: without quotes `&` would end the command there. */
function quoted(rules: string): string {
  return rules.replaceAll(/\S*[~&*|\\]\S*/g, "'$&'");
}
