/**
 * The limits of this server. Every key is listed with its default; take away the two slashes to set one.
 *
 *   live     takes effect with `spush server reload`, without a new process
 *   restart  takes effect with `spush server restart`
 *
 * Each key can also be set in the environment, where it wins over this file: SPUSH_ and the name in capitals, e.g.
 * MaxLinkNumber is SPUSH_MAX_LINK_NUMBER; lists and objects as JSON. `spush config show` prints what counts and where
 * it came from; `spush config check` finds faults before a reload does. Sizes are in bytes, times in seconds.
 */
import type { SystemConf } from '../src/platform/config/config-schema.js';

export default {
  // --- The node (restart) --------------------------------------------------------------------------------------------

  // What this node is called where people read it: server status, online state of a user, logs. With several nodes each
  // needs a name of its own: 1 to 64 letters, digits, dots, dashes and underscores. Default: the machine's name.
  // NodeName: 'web1',

  // --- Listening (restart) -------------------------------------------------------------------------------------------

  // Address to listen on. Default: in PUSHENV 0 this machine only (127.0.0.1 and ::1), else 0.0.0.0, every address. With
  // nginx on the same machine 127.0.0.1 is enough.
  // Host: null,

  // Port for HTTP and WebSocket; 0 takes a free one and prints it.
  Port: 9501,

  // wss without nginx: PEM files, both or none; a relative path starts at the folder of bootstrap.ts. Live: the files
  // are read again on reload, so a renewed certificate needs no restart.
  // TlsCert: null,
  // TlsKey: null,

  // --- Processes (restart) -------------------------------------------------------------------------------------------

  // Live: Worker processes, which hold the connections. Default: one per core. Connections stay when it changes.
  // WorkerNum: 4,

  // Live: resident memory (at least 67_108_864, which is 64 MiB) above which a Worker is replaced by a fresh one, which
  // gets its connections; at most once in ten minutes. null: never.
  // WorkerMemoryMax: null,

  // TaskWorker processes, which do what is slow: sweeps, pruning, own tasks.
  // TaskWorkerNum: 2,

  // Live: tasks at a time in each TaskWorker (more wait in a bounded queue), and the deadline of each.
  // TaskMaxRunning: 128,
  // TaskSeconds: 300,

  // Live: time a process gets to finish its work when it is stopped; after that it is killed.
  // StopSeconds: 15,

  // --- Connections (live) --------------------------------------------------------------------------------------------

  // Connections of the whole node, all Workers together. Above it new ones get 503 with Retry-After. Each needs a file
  // descriptor: `ulimit -n` must be higher.
  MaxLinkNumber: 10_000,

  // Of these, connections that have not logged in, so that there is room for those who do; every reader is one for a moment.
  // null: all of them. And how many of them may come from one client address in each Worker (loopback is free). null: a tenth
  // of them over all Workers, 16 at least: enough for a school behind one address that comes back together.
  // VisitorMax: null,
  // VisitorsPerAddress: null,

  // Connections, and refused logins per minute, of one client address (IPv6: its /64) in each Worker; loopback is free.
  // LinksPerAddress: 1000,
  // LoginTriesPerAddress: 60,

  // Connections of each Worker that are no WebSockets, and how many of them may come from one address (IPv6: its /64;
  // loopback and TrustedProxies are free). When there is no room the oldest idle one is closed.
  // HttpConnectionsMax: 2048,
  // HttpPerAddress: 512,

  // Connections of one user in each Worker; the oldest is closed with 4004.
  // LinksPerUser: 200,

  // Your nginx machines, and the one header in which the nearest of them says whose request it is: a list of addresses, read
  // from the right. That proxy must set it or add to it on every request, or clients could write it themselves.
  // TrustedProxies: ['127.0.0.0/8', '::1/128'],
  // ClientAddressHeader: 'X-Forwarded-For',

  // --- Silence (live) ------------------------------------------------------------------------------------------------

  // A connection without traffic in either direction for IdleSeconds + IdleGraceSeconds is closed with 4001. Clients are
  // told IdleSeconds as their heartbeat. The sum must stay below nginx's proxy_read_timeout (300 s in our sample).
  // IdleSeconds: 180,
  // IdleGraceSeconds: 60,
  // IdleCheckSeconds: 15,

  // A client that was pushed to and from which nothing came for ProbeSeconds is asked with a ping of the protocol; when
  // nothing comes within ProbeAnswerSeconds either, the connection is cut. Nobody else is asked.
  // ProbeSeconds: 60,
  // ProbeAnswerSeconds: 30,

  // --- What clients may send (restart) -------------------------------------------------------------------------------

  // Connections that wait in the kernel to be accepted; net.core.somaxconn of the machine bounds it.
  // Backlog: 4096,

  // Time to send a complete request head, and its size.
  // HandshakeSeconds: 10,
  // HeaderBytesMax: 8192,

  // Size of one message (above it 1009) and the fragments it may come in.
  // PayloadBytesMax: 16_384,
  // FragmentsMax: 64,

  // Live: commands of one connection per second, sustained and in a burst; above it 429.
  // CommandsPerSecond: 100,
  // CommandsBurst: 1000,

  // --- Slow readers (live) -------------------------------------------------------------------------------------------

  // Unsent bytes of one connection: above the soft mark live copies are dropped (they are in the store, the client is
  // told to fetch them); above the hard mark, or without progress for OutboxSeconds, it is closed with 4002.
  // OutboxSoftBytes: 262_144,
  // OutboxHardBytes: 1_048_576,
  // Of all connections of a Worker together; above it those that are behind wait, and who stands still is closed.
  // OutboxWorkerBytes: 134_217_728,
  // OutboxSeconds: 60,

  // --- Messages (live) -----------------------------------------------------------------------------------------------

  // When each kind is pushed if the call does not say: 'now', or 'cron' (with its crontab job).
  // Deliver: { comment: 'now', userNotice: 'now', systemNotice: 'now' },

  // A crontab job does not send again what was sent less than this ago.
  // ResendSeconds: 30,

  // Life of a message if the call does not say (seven days), and how long an expired one can still be asked for.
  // ExpireSeconds: 604_800,
  // KeepExpiredSeconds: 86_400,

  // Clients that are sent away (stop, reload) come back spread over this time, so that they do not come all at once.
  // ReturnSeconds: 60,

  // --- Crontab and log -----------------------------------------------------------------------------------------------

  // Restart: time zone of the crontab rules, e.g. 'Asia/Shanghai'. null: the machine's.
  // TimeZone: null,

  // Live: lowest level that is logged: trace, debug, info, warn or error.
  // LogLevel: 'info',

  // Live: Log/{mode}.log is moved away at the end of each day, or above this size; moved files are kept so many days.
  // LogBytesMax: 104857600,
  // LogKeepDays: 14,
} satisfies SystemConf;
