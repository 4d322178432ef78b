/**
 * What the user of spush may do in Redis, as rules of an ACL: no command, key or channel more than is used. Names begin with
 * the prefix, which differs between the environments: a user made for one of them is refused in the other. The lines of
 * docs/OPERATIONS.md are held to these, and these to what a server has counted.
 */
import type { RedisConfig } from '../../config/config-schema.js';

/** For every connection. `client|setname` is what CLIENT LIST shows; INFO tells that the server has loaded its data. */
const ALWAYS = ['ping', 'info', 'role', 'client|setname', 'set'] as const;
const PLAIN = ['publish', 'subscribe', 'unsubscribe'] as const;
/** Sharded pub/sub, since Redis 7. */
const CLUSTER = ['spublish', 'ssubscribe', 'sunsubscribe', 'cluster|slots', 'command|info'] as const;

export function redisAclRules({ nodes, prefix, db }: Pick<RedisConfig, 'nodes' | 'prefix' | 'db'>): string {
  const commands = [...ALWAYS, ...(nodes.length > 0 ? CLUSTER : PLAIN), ...(db === 0 ? [] : ['select'])];
  const names = literal(prefix);
  return [`~${names}nonce:*`, `&${names}*`, '-@all', ...commands.map((name) => `+${name}`)].join(' ');
}

/** At a Sentinel. */
export const SENTINEL_ACL_RULES = '-@all +client|setname +sentinel|master';

/** In a pattern of Redis these stand for others. */
function literal(prefix: string): string {
  return prefix.replace(/[*?[\]\\^]/g, '\\$&');
}
