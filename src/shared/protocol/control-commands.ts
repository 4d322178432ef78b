/** The control socket: JSON lines between the command line and the master. One entry per command. */
import * as z from 'zod';
import { environmentSchema } from './environment.js';
import { messageShowArgs, messageShownSchema, userShowArgs, userShownSchema } from './inspections.js';
import { nameChangesSchema } from './name-changes.js';
import { nodeRowSchema, nodeSumsSchema } from './node-figures.js';
import { warningSchema } from './node-troubles.js';

const none = z.object({});

/** A step of long work, for the person who waits. */
export const controlEventSchema = z.object({
  text: z.string(),
  detail: z.record(z.string(), z.unknown()).optional(),
});
export type ControlEvent = z.infer<typeof controlEventSchema>;

const programVersionSchema = z.object({
  /** With its build: `0.1.0+c922f45432f9`. Null: a process that does not say it. */
  version: z.string().nullable(),
  /** Short names: `Master`, `Worker.0`. */
  processes: z.array(z.string()),
});
export type ProgramVersion = z.infer<typeof programVersionSchema>;

export const serverStatusSchema = z.object({
  mode: z.string(),
  env: z.number(),
  pid: z.number(),
  /** Of the master. */
  version: z.string(),
  /** Which processes run which version of the program; one entry when all run the same. */
  versions: z.array(programVersionSchema).default([]),
  /** ISO 8601 */
  startTime: z.string(),
  listen: z.string(),
  maxLinkNumber: z.number(),
  /** MaxLinkNumber, or what the processes have descriptors for if that is less. */
  effectiveMaxLinkNumber: z.number(),
  connectionNum: z.number(),
  sessionNum: z.number(),
  acceptCount: z.number(),
  /** Connections that were closed before a Worker had them. */
  doorRefusedCount: z.number(),
  closeCount: z.number(),
  requestCount: z.number(),
  pushCount: z.number(),
  ackCount: z.number(),
  /** Null when the store did not answer in time. */
  pendingCount: z.number().nullable(),
  workerNum: z.number(),
  taskNum: z.number(),
  /** Names of processes that die again and again and are tried once a minute only. */
  crashLoops: z.array(z.string()),
  /** What is wrong and does not stop delivery, of all processes. */
  warnings: z.array(warningSchema).default([]),
  /** In PUSHENV 1 and 2: every node that answered, this one first; their sums; and those that did not answer in time. */
  nodes: z.array(nodeRowSchema).optional(),
  total: nodeSumsSchema.optional(),
  silentNodes: z.array(z.string()).optional(),
});
export type ServerStatus = z.infer<typeof serverStatusSchema>;

const hiddenEditSchema = z.object({
  key: z.string(),
  by: z.enum(['environment', 'commandLine']),
  /** The variable; null for the command line. */
  variable: z.string().nullable(),
});
export type HiddenEditRow = z.infer<typeof hiddenEditSchema>;

export const reloadResultSchema = z.object({
  /** Workers that were replaced. */
  workers: z.number(),
  /** Connections that stayed, and that were closed. */
  kept: z.number(),
  closed: z.number(),
  /** Of these, how many for which reason; `left`: they were still there when their process ended. */
  closedBy: z.record(z.string(), z.number()),
  seconds: z.number(),
  /** The longest time for which nobody read from a connection that stayed. */
  longestPauseMs: z.number(),
  /** Keys whose new value counts now, and those that need a restart. */
  applied: z.array(z.string()),
  notApplied: z.array(z.string()),
  /** Keys that were edited in the files without effect, as what the server was started with wins. */
  hidden: z.array(hiddenEditSchema).default([]),
  /** Own jobs and tasks of bootstrap.ts that are others than before; then TaskWorkers and CrontabScheduler were replaced. */
  jobs: nameChangesSchema,
  tasks: nameChangesSchema,
  /** Why these do not count everywhere; null: they do. */
  hooksFailed: z.string().nullable().default(null),
});
export type ReloadResult = z.infer<typeof reloadResultSchema>;

export const processRowSchema = z.object({
  pid: z.number().nullable(),
  name: z.string(),
  group: z.string(),
  /** Bytes of resident memory, now and at most. */
  memoryUsage: z.number().nullable(),
  memoryPeakUsage: z.number().nullable(),
  /** ISO 8601 */
  startUpTime: z.string().nullable(),
  /** Per cent of one core. */
  cpu: z.number().nullable(),
  /** Bytes of the heap in use; null for the master's children that did not answer. */
  heapUsed: z.number().nullable(),
  /** Null for processes that hold none. */
  connections: z.number().nullable(),
  restarts: z.number(),
  /** Of the program that it runs, with its build; null as long as it has not said it. */
  version: z.string().nullable().default(null),
  state: z.enum(['starting', 'ready', 'waiting', 'crashLoop', 'stopping']),
});
export type ProcessRow = z.infer<typeof processRowSchema>;

const killedRowSchema = z.object({
  pid: z.number(),
  name: z.string(),
  group: z.string(),
  option: z.enum(['SIGTERM', 'SIGKILL']),
  /** The process that took its place; null when it did not come up in time. */
  newPid: z.number().nullable(),
  /** Connections that went over to the new process, and that were closed; null where none are moved. */
  kept: z.number().nullable().default(null),
  closed: z.number().nullable().default(null),
  longestPauseMs: z.number().nullable().default(null),
});
export type KilledRow = z.infer<typeof killedRowSchema>;

export const crontabRowSchema = z.object({
  taskName: z.string(),
  taskRule: z.string(),
  taskRunTimes: z.number(),
  /** ISO 8601; null: never, or stopped. */
  taskNextRunTime: z.string().nullable(),
  taskCurrentRunTime: z.string().nullable(),
  isStop: z.union([z.literal(0), z.literal(1)]),
  /** `ok`, `running`, or the error's text; null: never ran. */
  lastResult: z.string().nullable(),
  lastDurationMs: z.number().nullable(),
  /** Ticks that found the job still running. */
  skipped: z.number(),
});
export type CrontabRow = z.infer<typeof crontabRowSchema>;
const crontabDataSchema = z.object({ jobs: z.array(crontabRowSchema) });
const jobName = z.object({ name: z.string().min(1) });

export const taskRowSchema = z.object({
  running: z.number(),
  success: z.number(),
  fail: z.number(),
  pid: z.number().nullable(),
  startUpTime: z.string().nullable(),
  workerIndex: z.number(),
  /** Tasks of the node that wait for a free TaskWorker; the same in every row. */
  queued: z.number(),
});
export type TaskRow = z.infer<typeof taskRowSchema>;

const rebootRowSchema = z.object({
  pid: z.number(),
  startUpTime: z.string(),
  signalTime: z.string(),
  signalType: z.enum(['SIGTERM', 'SIGKILL']),
  '3s-Status': z.enum(['alive', 'exit']),
  newPid: z.number().nullable(),
});
export type RebootRow = z.infer<typeof rebootRowSchema>;

/** A value of a key, and where it is from. */
const readKeySchema = z.object({
  /** As it may be shown: secrets are masked. */
  value: z.unknown(),
  /** `default`, the path of a file, the name of a variable, `command line`, or `config set`. */
  source: z.string(),
  from: z.enum(['default', 'file', 'environment', 'commandLine', 'configSet']),
});
export type ReadKey = z.infer<typeof readKeySchema>;

/** A key as it counts in the running server. */
const runningKeySchema = readKeySchema.extend({
  key: z.string(),
  apply: z.enum(['live', 'restart']),
  /** Whether the caller has the same value; null when the caller did not send its digest. */
  same: z.boolean().nullable(),
  /** What a reload (of a live key) or a restart would read now; null: the same, or it cannot be read. */
  next: readKeySchema.nullable(),
  /** What the files say alone, without the environment and the command line; null: the same. */
  inFiles: readKeySchema.nullable(),
});
export type RunningKey = z.infer<typeof runningKeySchema>;

export const CONTROL_COMMANDS = {
  ping: {
    args: none,
    data: z.object({
      pid: z.number(),
      mode: z.string(),
      /** What its start was given on the command line, by path of the key; a restart keeps it. */
      settings: z.record(z.string(), z.string()).optional(),
      /** It was started with -d; a restart does the same. */
      background: z.boolean().optional(),
      /** What a restart must not change unnoticed. Earlier versions do not say it. */
      environment: environmentSchema.optional(),
      /** What it has now: whoever waits for its work waits so long. */
      seconds: z.object({ StopSeconds: z.number(), TaskSeconds: z.number() }).optional(),
    }),
  },
  'server.status': { args: none, data: serverStatusSchema },
  /** Answers when everything but the master itself has ended; the master goes right after. */
  'server.stop': { args: none, data: z.object({ pid: z.number() }) },
  /** Reads and checks the configuration, applies live keys, then replaces every Worker in turn, the new one first. */
  'server.reload': { args: none, data: reloadResultSchema },
  'process.show': { args: none, data: z.object({ processes: z.array(processRowSchema) }) },
  /**
   * Ends processes so that new ones take their place: those with this pid, or of this group (full or short name), or all but
   * the master. `force` kills; without it Workers are replaced as by a reload and the others finish their work first.
   */
  'process.kill': {
    args: z.object({
      pid: z.int().positive().optional(),
      group: z.string().min(1).optional(),
      all: z.literal(true).optional(),
      force: z.boolean().default(false),
    }),
    data: z.object({ processes: z.array(killedRowSchema) }),
  },
  'crontab.show': { args: none, data: crontabDataSchema },
  'crontab.stop': { args: jobName, data: crontabDataSchema },
  'crontab.resume': { args: jobName, data: crontabDataSchema },
  'crontab.reset': { args: jobName.extend({ rule: z.string().min(1) }), data: crontabDataSchema },
  'task.status': { args: none, data: z.object({ tasks: z.array(taskRowSchema) }) },
  'task.reboot': {
    args: z.object({ force: z.boolean().default(false) }),
    data: z.object({ tasks: z.array(rebootRowSchema) }),
  },
  /** A live key, kept until the next reload says otherwise. `value` as in the environment: text, or JSON. */
  'config.set': {
    args: z.object({ key: z.string().min(1), value: z.string() }),
    data: z.object({
      key: z.string(),
      before: z.unknown(),
      after: z.unknown(),
      /** What stands in the way of the new value, in words. */
      warning: z.string().nullable().default(null),
    }),
  },
  /** What counts now, and how it differs from the caller's configuration and from the files. */
  'config.show': {
    args: z.object({
      /** Of the digests, by key, of the caller's own values (`valueDigest`). */
      nonce: z.string().min(16).max(128).optional(),
      digests: z.record(z.string(), z.string()).default({}),
    }),
    data: z.object({
      pid: z.number(),
      version: z.string(),
      env: z.number(),
      /** The folder of its files. */
      root: z.string(),
      keys: z.array(runningKeySchema),
      /**
       * Own jobs and tasks of bootstrap.ts that a reload would bring; null: none differ, or they could not be read. Earlier versions
       * do not say it.
       */
      hooks: z.object({ jobs: nameChangesSchema, tasks: nameChangesSchema }).nullable().default(null),
      /** Why nothing is said of what a reload would read: it would be refused, or they could not be read. */
      fault: z.object({ kind: z.enum(['refused', 'notRead']), text: z.string() }).nullable(),
    }),
  },
  /** Every process opens the log file anew, after somebody has moved it away; `processes`: how many. */
  'log.reopen': { args: none, data: z.object({ processes: z.number() }) },
  /** What is known of a user on all nodes, and what could not be asked. */
  'user.show': { args: userShowArgs, data: userShownSchema },
  /** What is known of a message, but for what it says. */
  'message.show': { args: messageShowArgs, data: messageShownSchema },
  'crontab.run': {
    args: z.object({ name: z.string().min(1), wait: z.boolean().default(false) }),
    /** `durationMs` is null when the job's end was not waited for. */
    data: z.object({ name: z.string(), result: z.unknown(), durationMs: z.number().nullable() }),
  },
} as const satisfies Record<string, { args: z.ZodType; data: z.ZodType }>;

export type ControlCommandName = keyof typeof CONTROL_COMMANDS;
export type ControlArgs<C extends ControlCommandName> = z.output<(typeof CONTROL_COMMANDS)[C]['args']>;
export type ControlArgsIn<C extends ControlCommandName> = z.input<(typeof CONTROL_COMMANDS)[C]['args']>;
export type ControlData<C extends ControlCommandName> = z.output<(typeof CONTROL_COMMANDS)[C]['data']>;

export const CONTROL_LINE_BYTES_MAX = 1_048_576;
export const CONTROL_VERSION = 1;

export const controlRequestSchema = z.object({
  v: z.literal(CONTROL_VERSION),
  id: z.int(),
  cmd: z.string().min(1).max(64),
  args: z.record(z.string(), z.unknown()).default({}),
});

export const controlResponseSchema = z.union([
  z.object({ id: z.int(), event: controlEventSchema }),
  z.object({ id: z.int(), ok: z.literal(true), data: z.unknown() }),
  z.object({ id: z.int(), ok: z.literal(false), error: z.object({ code: z.string(), message: z.string() }) }),
]);
export type ControlResponse = z.infer<typeof controlResponseSchema>;
