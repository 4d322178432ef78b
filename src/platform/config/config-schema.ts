/**
 * Every configuration key, declared once: type, default, unit, doc, whether a change takes effect live or after a
 * restart, and whether it is a secret. Environment names, `spush config show`, masking and docs/CONFIG.md come from here.
 */
import { availableParallelism } from 'node:os';
import * as z from 'zod';
import { KINDS } from '../../shared/domain/kind.js';
import { hostNodeName, NODE_NAME } from './node-name.js';

export type KeyMeta = {
  /** One sentence for the person who edits the file. */
  readonly doc: string;
  readonly unit?: string;
  /** live: on `server reload` or `config set`, without a new process; restart: with the next start. */
  readonly apply: 'live' | 'restart';
  readonly secret?: true;
  /** An address, whose user and query may be secrets: those are never shown. */
  readonly address?: true;
};

const live = (doc: string, unit?: string): KeyMeta => ({ doc, apply: 'live', ...(unit ? { unit } : {}) });
const restart = (doc: string, unit?: string): KeyMeta => ({
  doc,
  apply: 'restart',
  ...(unit ? { unit } : {}),
});
const secret = (doc: string): KeyMeta => ({ doc, apply: 'restart', secret: true });

const port = z.int().min(0).max(65_535);
const remotePort = z.int().min(1).max(65_535);
const count = z.int().min(1);
/** A day at most: above 24.8 days a timer of Node fires at once. */
const seconds = z.number().min(0.01).max(86_400);
const bytes = z.int().min(1);
const deliver = z.enum(['now', 'cron']);

/** `Forwarded` (RFC 7239) is no list of addresses. */
const HEADER_NAME = /^(?!forwarded$)[a-z0-9][a-z0-9-]{0,63}$/i;

function isTimeZone(name: string): boolean {
  try {
    return Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    // A RangeError is how Intl says that it does not know the name.
    return false;
  }
}

/** conf/SystemConf.ts */
export const systemSchema = z.strictObject({
  Host: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .meta(
      restart('Address to listen on; null: in PUSHENV 0 this machine only (127.0.0.1, ::1), else 0.0.0.0.'),
    ),
  Port: port.default(9501).meta(restart('Port for HTTP and WebSocket; 0 takes a free one.')),
  WorkerNum: count
    .max(256)
    .default(() => availableParallelism())
    .meta(live('Worker processes; one per core by default. Connections stay when it changes.')),
  TaskWorkerNum: count.max(64).default(2).meta(restart('TaskWorker processes.')),
  NodeName: z
    .string()
    .regex(NODE_NAME)
    .meta({ description: '1 to 64 letters, digits, dots, dashes and underscores' })
    .default(() => hostNodeName())
    .meta(restart('Name of this node where people read it; one of its own for each node.')),
  WorkerMemoryMax: bytes
    .min(67_108_864)
    .nullable()
    .default(null)
    .meta(
      live('Resident memory above which a Worker is replaced; its connections stay; null: never.', 'bytes'),
    ),
  TaskMaxRunning: count
    .default(128)
    .meta(live('Tasks at a time in each TaskWorker; more wait in a bounded queue.')),
  TaskSeconds: seconds.default(300).meta(live('Deadline of a task.', 's')),
  MaxLinkNumber: count
    .max(10_000_000)
    .default(10_000)
    .meta(live('Connections of the whole node; above it new ones get 503.')),
  VisitorMax: count
    .nullable()
    .default(null)
    .meta(live('Connections that have not logged in, of the whole node; null: as MaxLinkNumber.')),
  VisitorsPerAddress: count
    .nullable()
    .default(null)
    .meta(
      live(
        'Of these, from one client address (IPv6: /64) in each Worker; null: a tenth of them over all Workers, 16 at least; loopback is free.',
      ),
    ),
  LinksPerAddress: count
    .default(1000)
    .meta(live('Connections of one client address (IPv6: /64) in each Worker; loopback is free.')),
  HttpConnectionsMax: count
    .default(2048)
    .meta(
      live(
        'Connections of each Worker that are no WebSockets; when there is no room the oldest idle one is closed.',
      ),
    ),
  HttpPerAddress: count
    .default(512)
    .meta(live('Of these, from one address (IPv6: /64); loopback and TrustedProxies are free.')),
  LoginTriesPerAddress: count
    .default(60)
    .meta(live('Refused logins of one client address per minute in each Worker; loopback is free.')),
  LinksPerUser: count
    .default(200)
    .meta(live('Connections of one user in each Worker; the oldest is closed with 4004.')),
  IdleSeconds: seconds
    .default(180)
    .meta(live('Heartbeat interval told to clients: silence allowed in both directions.', 's')),
  IdleGraceSeconds: z
    .number()
    .min(0)
    .default(60)
    .meta(live('Added to IdleSeconds before a silent connection is closed with 4001.', 's')),
  IdleCheckSeconds: seconds.default(15).meta(live('How often silent connections are looked for.', 's')),
  ProbeSeconds: seconds
    .default(60)
    .meta(
      live('A client that was pushed to and says nothing for so long is asked whether it is there.', 's'),
    ),
  ProbeAnswerSeconds: seconds
    .default(30)
    .meta(live('Time to give any sign of life after that; then the connection is cut.', 's')),
  Backlog: count
    .max(65_535)
    .default(4096)
    .meta(
      restart(
        'Connections that wait in the kernel to be accepted; net.core.somaxconn of the machine bounds it.',
      ),
    ),
  HandshakeSeconds: seconds.default(10).meta(restart('Time to send a complete request head.', 's')),
  HeaderBytesMax: bytes.default(8192).meta(restart('Size of a request head.', 'bytes')),
  PayloadBytesMax: bytes
    .max(65_536)
    .default(16_384)
    .meta(restart('Size of a message from a client; above it 1009.', 'bytes')),
  FragmentsMax: count.default(64).meta(restart('Fragments of one message from a client.')),
  CommandsPerSecond: count
    .default(100)
    .meta(live('Commands of one connection, sustained; above it 429.', '1/s')),
  CommandsBurst: count.default(1000).meta(live('Commands of one connection in a burst.')),
  // Not below a stream's own mark (16 KiB), which says when there is room again.
  OutboxSoftBytes: bytes
    .min(16_384)
    .default(262_144)
    .meta(
      live('Unsent bytes of one connection above which live copies are dropped and fetched later.', 'bytes'),
    ),
  OutboxHardBytes: bytes
    .default(1_048_576)
    .meta(live('Unsent bytes of one connection above which it is closed with 4002.', 'bytes')),
  OutboxWorkerBytes: bytes
    .min(16_777_216)
    .default(134_217_728)
    .meta(
      live(
        'Unsent bytes of all connections of a Worker; above it those that are behind wait, and who stands still is closed with 4002.',
        'bytes',
      ),
    ),
  OutboxSeconds: seconds
    .default(60)
    .meta(
      live('Time without any progress of unsent bytes after which a connection is closed with 4002.', 's'),
    ),
  ResendSeconds: seconds
    .default(30)
    .meta(live('A sweep does not send again what was sent less than this ago.', 's')),
  Deliver: z
    .strictObject({
      comment: deliver.default('now'),
      userNotice: deliver.default('now'),
      systemNotice: deliver.default('now'),
    })
    .prefault({})
    .meta(
      live(
        `When each kind (${KINDS.join(', ')}) is pushed if the call does not say: now, or cron (with its job).`,
      ),
    ),
  // Whole seconds: message-facts.ts tells by them that a message was not replaced.
  ExpireSeconds: z
    .int()
    .min(1)
    .max(31_536_000)
    .default(604_800)
    .meta(live('Life of a message if the call does not say.', 's')),
  KeepExpiredSeconds: z
    .number()
    .min(0)
    .default(86_400)
    .meta(live('How long an expired message can still be asked for before it is deleted.', 's')),
  StopSeconds: seconds
    .default(15)
    .meta(live('Time a process gets to finish its work when it is stopped.', 's')),
  ReturnSeconds: seconds
    .default(60)
    .meta(live('Clients that are sent away come back spread over this time.', 's')),
  TrustedProxies: z
    .array(z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()]))
    .default(['127.0.0.0/8', '::1/128'])
    .meta(live('Addresses of proxies, whose ClientAddressHeader is believed.')),
  ClientAddressHeader: z
    .string()
    .regex(HEADER_NAME)
    .meta({
      description: 'the name of a header that is a list of addresses, e.g. X-Forwarded-For or X-Real-IP',
    })
    .default('X-Forwarded-For')
    .meta(
      live(
        'The header in which the nearest of TrustedProxies says whose request it is; no other one is believed.',
      ),
    ),
  TlsCert: z
    .string()
    .nullable()
    .default(null)
    .meta(
      live('PEM certificate chain for wss without nginx; with TlsKey. The file is read again on reload.'),
    ),
  TlsKey: z.string().nullable().default(null).meta(live('PEM key of TlsCert.')),
  TimeZone: z
    .string()
    .refine(isTimeZone, 'the name of a time zone, e.g. Asia/Shanghai, or null')
    .nullable()
    .default(null)
    .meta(restart('Time zone of the crontab rules, e.g. Asia/Shanghai; null: the machine’s.')),
  LogLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error'])
    .default('info')
    .meta(live('Lowest level that is logged.')),
  LogBytesMax: bytes
    .min(65_536)
    .default(104_857_600)
    .meta(
      live('Size above which Log/{mode}.log is moved away; it is moved at the end of each day too.', 'bytes'),
    ),
  LogKeepDays: count.default(14).meta(live('How long moved log files are kept.', 'days')),
});

/** A URL, or a port behind it, would be looked up as a name that nobody has, and be shown with the password in it. */
const machine = z
  .string()
  .regex(/^(?:[^\s/?#@[\]:]+|[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*(?:%\w+)?)$/i)
  .meta({ description: 'the name or the IP address of a machine, without scheme and port' });
const atMachine = (doc: string): KeyMeta => ({ ...restart(doc), address: true });

/** conf/{Env}/db.ts. In PUSHENV 0 the store is a file in Data/ and only `file` counts. */
export const dbSchema = z.strictObject({
  file: z
    .string()
    .nullable()
    .default(null)
    .meta(restart('PUSHENV 0: path of the embedded store; null: Data/{mode}.db.')),
  host: machine.default('127.0.0.1').meta(atMachine('MySQL or MariaDB address.')),
  port: remotePort.default(3306).meta(restart('MySQL or MariaDB port.')),
  user: z.string().default('spush').meta(restart('Database user.')),
  password: z.string().default('').meta(secret('Database password.')),
  database: z.string().min(1).default('spush').meta(restart('Database name.')),
  poolSize: count.max(256).default(4).meta(restart('Database connections of each process, two at least.')),
  connectMs: count
    .max(60_000)
    .default(1000)
    .meta(restart('Time for a database connection to be made, or for any of the pool to become free.', 'ms')),
  queryMs: z
    .int()
    .min(500)
    .max(60_000)
    .default(2000)
    .meta(restart('Time for one statement of the database; after it the connection is thrown away.', 'ms')),
  spill: z
    .boolean()
    .default(false)
    .meta(
      restart(
        'PUSHENV 1, 2: what is accepted while the database is away is kept in Data/{mode}.spill.db and moved later, instead of being refused with 503.',
      ),
    ),
});

const server = z
  .string()
  .regex(/^(\[[0-9a-f:.]+\]|[^\s:[\]]+):\d{1,5}$/i)
  .refine((text) => remotePort.safeParse(Number(/\d+$/.exec(text)?.[0])).success)
  .meta({ description: 'host:port such as 10.0.0.5:6379 or [fd00::5]:6379' });

/** What signs the news between nodes. 32 characters: half of what `openssl rand -hex 32` prints. */
const busKey = z.strictObject({
  id: z
    .string()
    .regex(/^[\w.-]{1,64}$/)
    .meta({ description: '1 to 64 letters, digits, dots, dashes and underscores' }),
  secret: z.string().min(32),
});

/** conf/{Env}/redis.ts */
export const redisSchema = z.strictObject({
  host: machine.default('127.0.0.1').meta(atMachine('Redis address; without sentinels and nodes.')),
  port: remotePort.default(6379).meta(restart('Redis port.')),
  username: z.string().nullable().default(null).meta(restart('Redis user.')),
  password: z.string().default('').meta(secret('Redis password.')),
  db: z.int().min(0).default(0).meta(restart('Redis database number; a Cluster has 0 only.')),
  tls: z
    .boolean()
    .default(false)
    .meta(restart('TLS to Redis, and to the Sentinels; certificates are checked.')),
  tlsCa: z
    .string()
    .nullable()
    .default(null)
    .meta(
      restart('PEM file of the authority that signed the certificates of Redis; null: those Node.js knows.'),
    ),
  prefix: z
    .string()
    .max(64)
    .default('spush:')
    .meta(restart('Put before every channel and key; in a Cluster without { and }.')),
  sentinels: z
    .array(server)
    .max(64)
    .default([])
    .meta(atMachine('Sentinels as host:port; they say where Redis is, instead of host and port.')),
  sentinelName: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .meta(restart('Name under which the Sentinels watch Redis, e.g. mymaster.')),
  sentinelUsername: z
    .string()
    .nullable()
    .default(null)
    .meta(restart('User at the Sentinels, where it is not their default user.')),
  sentinelPassword: z.string().default('').meta(secret('Password of the Sentinels, if they have one.')),
  nodes: z
    .array(server)
    .max(256)
    .default([])
    .meta(atMachine('Some nodes of a Redis Cluster as host:port, instead of host and port.')),
  busKeys: z
    .array(busKey)
    .max(16)
    .default([])
    .meta(
      secret(
        'Keys of what nodes tell each other: [{"id":…,"secret":…}]; the first signs, all are accepted. The same on all nodes.',
      ),
    ),
});

/** Makes the `token` parameter of a call to the main site. */
export type GzcpToken = (timestamp: string, loginkey: string, secret: string) => string;

/** conf/{Env}/gzcp.ts */
export const gzcpSchema = z.strictObject({
  verifyUrl: z
    .url({ protocol: /^https?$/ })
    .nullable()
    .default(null)
    .meta({
      ...restart('Address that tells whose key it is; null in PUSHENV 0: the built-in verifier.'),
      address: true,
    }),
  secret: z.string().default('').meta(secret('Shared secret of the token parameter.')),
  token: z
    .custom<GzcpToken>(
      (value) => typeof value === 'function',
      'a function (timestamp, loginkey, secret) => string, or null',
    )
    .nullable()
    .default(null)
    .meta(restart('Function that makes the token parameter; null: md5 of timestamp + loginkey + secret.')),
  deadlineMs: count.max(60_000).default(3000).meta(restart('Time for an answer, the retry included.', 'ms')),
  concurrency: count.max(1024).default(64).meta(restart('Calls at a time, of the whole node.')),
  cacheSeconds: z.number().min(0).max(3600).default(30).meta(restart('How long a good answer is kept.', 's')),
  breakerFailures: count
    .default(10)
    .meta(restart('Failures in a row after which calls stop for breakerSeconds.')),
  breakerSeconds: seconds
    .default(5)
    .meta(restart('Pause after too many failures; then one call tries.', 's')),
});

const apiKey = z.strictObject({ id: z.string().min(1).max(64), secret: z.string().min(1) });

/** conf/{Env}/api.ts */
export const apiSchema = z.strictObject({
  keys: z
    .union([
      z.array(apiKey),
      z
        .record(z.string().min(1).max(64), z.string().min(1))
        .transform((byId) => Object.entries(byId).map(([id, key]) => ({ id, secret: key }))),
    ])
    .default([])
    .meta(secret('Keys of signed calls: {"id":"secret"} or [{"id":…,"secret":…}]; two for rotation.')),
  legacyToken: z
    .boolean()
    .default(false)
    .meta(restart('Also accept timestamp and token = md5(timestamp + secret) as fields; needs allow.')),
  signatureV1: z
    .boolean()
    .default(true)
    .meta(
      restart('Also accept version 1 of the signature, which leaves out the key id and the Content-Type.'),
    ),
  allow: z
    .array(z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()]))
    .default([])
    .meta(restart('Addresses that may call the API; empty: any with a valid signature.')),
  opsAllow: z
    .array(z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()]))
    .default(['127.0.0.0/8', '::1/128'])
    .meta(restart('Addresses that may read /metrics, and are told the reasons of a 503.')),
  origins: z
    .array(z.string().min(1))
    .default([])
    .meta(
      restart(
        'Origins of web pages that may connect, e.g. https://www.example.com; empty: any (not in Online).',
      ),
    ),
});

export const configFiles = {
  system: systemSchema,
  db: dbSchema,
  redis: redisSchema,
  gzcp: gzcpSchema,
  api: apiSchema,
} as const;
export type ConfigFile = keyof typeof configFiles;

export type SystemConfig = z.infer<typeof systemSchema>;
export type DbConfig = z.infer<typeof dbSchema>;
export type RedisConfig = z.infer<typeof redisSchema>;
export type GzcpConfig = z.infer<typeof gzcpSchema>;
export type ApiConfig = z.infer<typeof apiSchema>;

/** What operators write in conf/: every key optional. */
export type SystemConf = z.input<typeof systemSchema>;
export type DbConf = z.input<typeof dbSchema>;
export type RedisConf = z.input<typeof redisSchema>;
export type GzcpConf = z.input<typeof gzcpSchema>;
export type ApiConf = z.input<typeof apiSchema>;

export const ENV_NAMES = { 0: 'local', 1: 'Test', 2: 'Online' } as const;
export type PushEnv = keyof typeof ENV_NAMES;

export interface Paths {
  /** SPUSH_ROOT: holds bootstrap.ts and conf/. */
  readonly root: string;
  /** SPUSH_HOME: holds Temp/, Data/ and, unless SPUSH_LOG puts it elsewhere, Log/. */
  readonly home: string;
  readonly temp: string;
  readonly log: string;
  readonly data: string;
  readonly pidFile: string;
  readonly socket: string;
  readonly logFile: string;
}

/** The whole configuration, checked and frozen. */
export interface Config {
  readonly mode: string;
  readonly env: PushEnv;
  readonly paths: Paths;
  readonly system: SystemConfig;
  readonly db: DbConfig;
  readonly redis: RedisConfig;
  readonly gzcp: GzcpConfig;
  readonly api: ApiConfig;
}
