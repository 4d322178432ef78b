/**
 * Online: Redis carries news between the nodes, never the messages themselves. What is secret comes from the environment:
 * SPUSH_REDIS_PASSWORD, and SPUSH_REDIS_BUS_KEYS as JSON, e.g. [{"id":"a","secret":"…"}], the same on all nodes; make a
 * secret with: openssl rand -hex 32. To change it, put the new key second everywhere, then first, then remove the old one.
 */
import type { RedisConf } from '../../src/platform/config/config-schema.js';

export default {
  // Put in your own: a start refuses names out of this sample (.example).
  host: 'redis.gzcp.example',
  port: 6379,
  db: 0,
  tls: false,
  // Put before every channel and key; two environments on one Redis need two.
  prefix: 'spush:',
  // With Sentinel, instead of host and port: the sentinels and the name they know, e.g. ['10.0.0.1:26379'], 'mymaster'.
  sentinels: [],
  sentinelName: null,
  // With a Cluster, instead of host and port: some of its nodes, e.g. ['10.0.0.1:6379', '10.0.0.2:6379'].
  nodes: [],
} satisfies RedisConf;
