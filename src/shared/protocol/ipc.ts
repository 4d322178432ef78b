/**
 * What the processes of one node say to each other. One typed map per direction: `calls` are answered, `notes` are not,
 * `hands` carry the handle of a socket beside their data. Strings and plain data only; the transport is the IPC channel
 * between master and child.
 */
import type { MessageId } from '../domain/message-id.js';
import type { SpawnedRole } from '../domain/role.js';
import type { TroubleReport } from '../domain/trouble.js';
import type { CrontabRow } from './control-commands.js';
import type { ExpectedSession, LeaveResult, TravellingSession } from './handoff.js';
import type { MessageShown, UserShown } from './inspections.js';
import type { NodeFigures } from './node-figures.js';
import type { NodeTroubles } from './node-troubles.js';
import type { Answers, QuestionName } from './questions.js';

export interface MessageMap {
  readonly calls: Record<string, { args: unknown; result: unknown }>;
  readonly notes: Record<string, unknown>;
  readonly hands: Record<string, unknown>;
}

export const PERMIT_POOLS = ['links', 'visitors'] as const;
export type PermitPool = (typeof PERMIT_POOLS)[number];

/** What standard output gets of the log: readable lines, JSON lines, or nothing. */
export type LogConsole = 'coloured' | 'plain' | 'json' | 'none';

/** What a child counts since it started; the master adds them up for `server status`. */
export interface ChildStats {
  /** Open WebSocket connections. */
  readonly connections: number;
  /** Of these, logged in. */
  readonly sessions: number;
  readonly accepted: number;
  readonly closed: number;
  readonly requests: number;
  readonly pushes: number;
  readonly acks: number;
  /** Task workers. */
  readonly tasksRunning: number;
  readonly tasksDone: number;
  readonly tasksFailed: number;
  readonly heapUsedBytes: number;
}

/** Nothing counted yet. */
export const NO_STATS: ChildStats = {
  connections: 0,
  sessions: 0,
  accepted: 0,
  closed: 0,
  requests: 0,
  pushes: 0,
  acks: 0,
  tasksRunning: 0,
  tasksDone: 0,
  tasksFailed: 0,
  heapUsedBytes: 0,
};

/** An event on its way, still as text: the master routes it without reading it. `to` null: to everybody. */
export interface BusParcel {
  readonly to: number | null;
  readonly text: string;
}

/** Child to master. */
export interface ToMaster extends MessageMap {
  readonly calls: {
    /** Asks for permits to hold connections; `granted` may be less than asked, 0 when the node is full. */
    'permits.want': { args: { pool: PermitPool; n: number }; result: { granted: number } };
    /** A nonce is good once in its scope; the time is that of its call, Unix seconds. */
    'nonce.claim': {
      args: { scope: string; nonce: string; timestamp: number };
      result: { fresh: boolean };
    };
    /** From then on parcels to this user reach the caller. */
    'bus.follow': { args: { uid: number }; result: Record<string, never> };
    /** Answered when every parcel that was on its way to the caller before has been handed over. */
    'bus.probe': { args: Record<string, never>; result: Record<string, never> };
    /** Puts a question to every Worker of this node. */
    'workers.ask': {
      args: { question: QuestionName; args: unknown; deadlineMs: number };
      result: Answers<unknown>;
    };
    /** The figures of this node, all children added up. */
    'node.figures': { args: Record<string, never>; result: NodeFigures };
    /** The troubles of all processes of this node, by name. */
    'node.troubles': { args: Record<string, never>; result: NodeTroubles };
    /** Runs a task in the least busy TaskWorker; answers its result when it is done. */
    'task.run': { args: { name: string; args: unknown; deadlineMs: number }; result: { result: unknown } };
    /** A leaving Worker announces sessions; answered when whoever gets them follows their users. */
    'handoff.expect': { args: { sessions: readonly ExpectedSession[] }; result: Record<string, never> };
    /** Which of these sessions, handed over a while ago, the master does not have on their way. */
    'handoff.unknown': { args: { ids: readonly string[] }; result: { ids: readonly string[] } };
    /** Which of these connections, handed back before, have arrived: they are no longer the sender's. */
    'conn.backs': { args: { ns: readonly number[] }; result: { taken: readonly number[] } };
  };
  readonly hands: {
    'handoff.session': TravellingSession;
    /** A connection between two HTTP calls: another Worker is to serve it. `n` is the sender's number; `kept`: calls were answered on it. */
    'conn.back': { n: number; kept: boolean };
  };
  readonly notes: {
    /** The child listens now: what was sent before may be lost. The answer is `init`. */
    hello: Record<string, never>;
    /**
     * Everything is open. `version`: of the program that it has loaded. `hooks`: digest of the own jobs and tasks that it has
     * loaded; Workers load none. A child of an earlier version says neither.
     */
    ready: { version?: string; hooks?: string };
    /** It cannot start: the reason, for the person who typed the command. */
    failed: { code: string; message: string };
    bus: { parcels: readonly BusParcel[] };
    /** The sender had to drop parcels: those who would have got them have a gap. */
    'bus.lost': Record<string, never>;
    'bus.unfollow': { uid: number };
    'permits.return': { pool: PermitPool; n: number };
    /** It ends by itself, on a signal: nothing new is to be given to it. */
    leaving: Record<string, never>;
    /** It was to leave and stays: it takes connections again. */
    staying: Record<string, never>;
    /** What a stopping child still waits for, in words. */
    waiting: { what: string };
    /** Connections a leaving Worker has still to hand over, those on their way included; and how many were adopted. */
    'handoff.remaining': { remaining: number; gone: number };
    /** The session is the sender's from now on; nobody read from it for `pausedMs`. */
    'handoff.adopted': { id: string; pausedMs: number };
    /** The sender could not take the session: it is its old Worker's again. */
    'handoff.refused': { id: string; reason: string };
    /** Announced sessions that will not come: closed meanwhile, or not movable yet. */
    'handoff.cancel': { ids: readonly string[] };
    /** This Worker uses more memory than WorkerMemoryMax: it is to be replaced. */
    'memory.above': { rssBytes: number; limitBytes: number };
    /** A connection that was given is this Worker's now; it holds `open` connections. */
    'conn.taken': { n: number; open: number };
    /** How many connections this Worker holds, when that has changed. */
    'conn.holds': { open: number };
    /** The last word of a child that ends in order, so that its counts are not lost. */
    lastStats: ChildStats;
  };
}

/** Master to child. */
export interface ToChild extends MessageMap {
  readonly calls: {
    /** Stop taking new work, finish the old; the child exits by itself after answering. */
    /** `closing`: the whole server ends (1001), or another process takes this one's place (1012). */
    stop: {
      args: { reason: string; deadlineMs: number; closing: 'server' | 'process' };
      result: Record<string, never>;
    };
    stats: { args: Record<string, never>; result: ChildStats };
    /** What is wrong with it and does not stop delivery. */
    troubles: { args: Record<string, never>; result: TroubleReport };
    answer: { args: { question: QuestionName; args: unknown }; result: unknown };
    'task.run': { args: { name: string; args: unknown; deadlineMs: number }; result: { result: unknown } };
    'crontab.run': {
      args: { name: string; wait: boolean };
      result: { result: unknown; durationMs: number | null };
    };
    'crontab.show': { args: Record<string, never>; result: { jobs: CrontabRow[] } };
    /** Answers all jobs, changed. */
    'crontab.change': {
      args: { action: 'stop' | 'resume' | 'reset'; name: string; rule?: string };
      result: { jobs: CrontabRow[] };
    };
    /** Asks all nodes for their figures: one answer for each, and the names of those that were silent. */
    'nodes.figures': {
      args: { deadlineMs: number };
      result: { nodes: readonly NodeFigures[]; silent: readonly string[] };
    };
    /** What is known of a user on all nodes; what did not answer is named in it. */
    'user.show': { args: { uid: number; next: number }; result: UserShown };
    /** What is known of a message; NOT_FOUND when it is nowhere, another code when that cannot be known. */
    'message.show': { args: { id: MessageId }; result: MessageShown };
    /** Counts what is pending in the store. */
    pendingCount: { args: Record<string, never>; result: { pending: number } };
    /** Take no new connections and hand over the open ones. Answered when none is left, or after `handoff.abort`. */
    'handoff.leave': { args: Record<string, never>; result: LeaveResult };
    /** Take new connections again: this Worker stays after all. */
    'handoff.stay': { args: Record<string, never>; result: Record<string, never> };
    /** These sessions will come: follow their users and keep what comes for them. Answered when that is so. */
    'handoff.expect': { args: { sessions: readonly ExpectedSession[] }; result: Record<string, never> };
    /** Answered when `conn.taken` is said for every connection that has arrived. */
    'conn.barrier': { args: Record<string, never>; result: Record<string, never> };
  };
  readonly hands: {
    'handoff.session': TravellingSession;
    /** A connection that was accepted for this Worker, or came back from another: then `kept` as it said. `n` is the master's number. */
    conn: { n: number; kept: boolean };
  };
  readonly notes: {
    /** The answer to `hello`: who the child is and the checked configuration (functions left out). */
    init: {
      role: SpawnedRole;
      index: number;
      generator: number;
      config: unknown;
      /** bootstrap.ts has own jobs or tasks, so that whoever runs these has to read it. A master of an earlier version does not say it. */
      hasHooks?: boolean;
      /** The node is being started: what is not there yet may be made. Later, what has vanished must not be. */
      firstStart: boolean;
      /** What is random of this start of the node. */
      nodeRun: string;
      /** What standard output gets of the log. */
      console: LogConsole;
    };
    bus: { texts: readonly string[] };
    /** Parcels may have been lost on the way. */
    'bus.gap': Record<string, never>;
    /** Scarce: hand back every permit at once when its connection closes. */
    'permits.scarce': { pool: PermitPool; scarce: boolean };
    /** Live keys have changed: the whole plain configuration. */
    config: { config: unknown };
    /** The log file was moved away: open it anew. */
    'log.reopen': Record<string, never>;
    /** Read certificate files again. */
    'tls.reload': Record<string, never>;
    /** The session is another Worker's now: close this side's copy of its socket. */
    'handoff.adopted': { id: string };
    /** These sessions did not get to another Worker: they are served here again. */
    'handoff.returned': { ids: readonly string[] };
    /** Announced sessions that will not come. */
    'handoff.cancel': { ids: readonly string[] };
    /** Hand over no more. */
    'handoff.abort': Record<string, never>;
  };
}

/** Which of the master's messages each role answers itself; `init`, `stop` and `troubles` are the business of every child alike. */
export interface RoleMessages {
  readonly worker: {
    readonly calls:
      | 'stats'
      | 'answer'
      | 'nodes.figures'
      | 'user.show'
      | 'message.show'
      | 'pendingCount'
      | 'handoff.leave'
      | 'handoff.stay'
      | 'handoff.expect'
      | 'conn.barrier';
    readonly notes:
      | 'bus'
      | 'bus.gap'
      | 'permits.scarce'
      | 'tls.reload'
      | 'handoff.adopted'
      | 'handoff.returned'
      | 'handoff.cancel'
      | 'handoff.abort';
    readonly hands: 'handoff.session' | 'conn';
  };
  readonly task: {
    readonly calls: 'stats' | 'task.run' | 'pendingCount';
    readonly notes: never;
    readonly hands: never;
  };
  readonly crontab: {
    readonly calls: 'stats' | 'crontab.run' | 'crontab.show' | 'crontab.change';
    readonly notes: never;
    readonly hands: never;
  };
}
