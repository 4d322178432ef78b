/**
 * The master: supervises the children, relays between them, answers the control socket. It opens no database, no Redis, no
 * HTTP and no WebSocket: it must be the last to fall.
 *
 * A start takes, in this order, Temp/, the claim on the mode, its files, the control socket, the children; an end (or a start
 * that failed) gives them back in the reverse order. What delivery does not need may be missing: it is a trouble, told and
 * tried again.
 */
import { isLoopback, latestAddressList } from '../platform/auth/client-address.js';
import { newNodeRun } from '../platform/bus/bus-identity.js';
import { systemClock } from '../platform/clock/system-clock.js';
import { makeTempFolder } from '../platform/config/config-paths.js';
import type { Config, Paths } from '../platform/config/config-schema.js';
import { listenHosts } from '../platform/config/listen-hosts.js';
import { toPlainConfig } from '../platform/config/plain-config.js';
import type { ServiceManager } from '../platform/config/service-manager.js';
import { Troubles } from '../platform/health/troubles.js';
import { environmentOf } from '../platform/instance/environment-record.js';
import {
  alreadyRunning,
  ownIdentity,
  removeInstance,
  type WrittenInstance,
  writeInstance,
} from '../platform/instance/instance-file.js';
import { claimMode, type ModeClaim } from '../platform/instance/mode-claim.js';
import type { RunMasterOptions } from '../platform/instance/run-master.js';
import {
  assertEnoughDescriptors,
  descriptorLimit,
  descriptorShortage,
  effectiveMaxLinks,
  masterRoom,
} from '../platform/limits/descriptors.js';
import { type Log, type OpenLog, openLog } from '../platform/log/log.js';
import type { Notifier, Vitals } from '../platform/notify/notifier.js';
import { createNotifier } from '../platform/notify/systemd-notifier.js';
import { LaunchedProgram } from '../platform/program/launched-program.js';
import { programVersion } from '../platform/program/program-version.js';
import { exitOnFault } from '../platform/rpc/exit-on-fault.js';
import { EXIT, errorText, isSpushError, SpushError } from '../shared/base/errors.js';
import { masterTitle } from '../shared/domain/role.js';
import type { Environment } from '../shared/protocol/environment.js';
import { addUpTroubles } from '../shared/protocol/node-troubles.js';
import { DoorCheck } from './accept/door-check.js';
import { FrontDoor } from './accept/front-door.js';
import { assembleHandlers } from './control/assemble-handlers.js';
import { ControlServer } from './control/control-server.js';
import { ControlSocket } from './control/control-socket.js';
import { LiveConfig } from './live-config.js';
import { LogRotation } from './log-rotation.js';
import { OwnFiles } from './own-files.js';
import { NonceBook } from './relay/nonce-book.js';
import { NonceFile, nonceFile } from './relay/nonce-file.js';
import { Relays } from './relays.js';
import { onSignals } from './signals.js';
import { askTroubles, type ProcessTroubles } from './status/ask-troubles.js';
import { OwnFigures } from './status/node-figures.js';
import { ProgramVersions } from './status/program-versions.js';
import { StatsPoll } from './status/stats-poll.js';
import { Totals } from './status/totals.js';
import type { Child } from './supervisor/child.js';
import { processSpawner } from './supervisor/child-process.js';
import { Generators } from './supervisor/generators.js';
import { MemoryGuard } from './supervisor/memory-guard.js';
import { NodeStop } from './supervisor/node-stop.js';
import { OneAtATime } from './supervisor/one-at-a-time.js';
import { Replacer } from './supervisor/replace.js';
import { Supervisor } from './supervisor/supervisor.js';
import { WorkerCount } from './supervisor/worker-count.js';
import { nodeVitals } from './vitals.js';

/** Children of a start that failed have nothing to finish. */
const FAILED_START_STOP_MS = 2000;

export interface MasterParts {
  /** The program that children run; by default that of this process. */
  readonly program?: string;
  /** Who wants to be told how the node is doing. */
  readonly serviceManager?: ServiceManager | null;
}

export async function runMaster(options: RunMasterOptions, parts: MasterParts = {}): Promise<number> {
  const { config } = options;
  assertEnoughDescriptors(config, descriptorLimit());
  process.title = masterTitle(config.mode);
  const troubles = new Troubles(systemClock);
  const log = openLog({
    process: masterTitle(config.mode),
    level: config.system.LogLevel,
    file: config.paths.logFile,
    console: options.console,
    troubles,
  });
  troubles.tellIn(log);
  const notifier = createNotifier(parts.serviceManager ?? null, { troubles, log });
  try {
    const environment = environmentOf(options);
    const taken = await takeMode(config, { environment, troubles, log });
    try {
      const program = new LaunchedProgram(options.launchPath, parts.program);
      return await runNode(options, { log, troubles, program, notifier, environment, taken });
    } finally {
      await taken.giveBack();
    }
  } finally {
    log.close();
  }
}

interface TakenMode {
  /** Files that made no sense and were moved out of the way, in words. */
  readonly setAside: readonly string[];
  /** The server is ready. */
  ready(): Promise<void>;
  giveBack(): Promise<void>;
}

/** Rejects with ALREADY_RUNNING when another master has it. */
async function takeMode(
  config: Config,
  {
    environment,
    troubles,
    log,
  }: { readonly environment: Environment; readonly troubles: Troubles; readonly log: Log },
): Promise<TakenMode> {
  const { paths, mode } = config;
  await makeTempFolder(paths);
  const claim = await claimMode({ home: paths.home, mode });
  if (claim.state === 'taken') throw alreadyRunning(paths, claim.by.identity.pid);
  try {
    const { owner, setAside } = await writeOwn(paths, claim);
    for (const text of setAside) log.warn('instance.setAside', { text });
    const files = new OwnFiles({ config, owner, claim, environment, troubles, log });
    await files.open();
    return {
      setAside,
      ready: () => files.ready(),
      async giveBack() {
        await files.close(() => removeInstance(paths));
      },
    };
  } catch (error) {
    if (claim.state === 'ours') claim.release();
    throw error;
  }
}

/** A disk that is full keeps nobody from starting who has the claim; the files are tried again later. */
async function writeOwn(paths: Paths, claim: ModeClaim): Promise<WrittenInstance> {
  try {
    return await writeInstance(paths, { now: systemClock.now() });
  } catch (cause) {
    if (isSpushError(cause)) throw cause;
    if (claim.state === 'ours') return { owner: ownIdentity(), setAside: [] };
    const text = `cannot write ${paths.pidFile} and the file beside it: ${errorText(cause)}`;
    throw new SpushError('START_FAILED', text, { cause });
  }
}

interface NodeParts {
  readonly log: OpenLog;
  readonly troubles: Troubles;
  readonly environment: Environment;
  readonly taken: Pick<TakenMode, 'setAside' | 'ready'>;
  readonly program: LaunchedProgram;
  readonly notifier: Notifier;
}

async function runNode(options: RunMasterOptions, parts: NodeParts): Promise<number> {
  const { config } = options;
  const { log, notifier } = parts;
  const node = assembleNode(options, parts);
  await node.socket.open();
  const forgetSignals = onSignals({
    stop: node.stop,
    workers: () => node.supervisor.ready('worker'),
    signals: process,
    terminal: process.stdout.isTTY === true,
    reopenLogs: () => void node.reopenLogs(),
    log,
  });
  const forgetFaults = exitOnFault(() => log);
  try {
    // Before any child is started: a port that is taken is known at once.
    const listen = await node.openDoor();
    await node.nonces.load();
    await startChildren(node);
    await parts.taken.ready();
    log.info('node.ready', { listen, mode: config.mode, version: options.version });
    options.onReady({
      pid: process.pid,
      listen,
      warnings: [...parts.taken.setAside, ...(await node.warnings())],
    });
    notifier.ready();
    notifier.startWatchdog(node.vitals);
    node.stats.start();
    node.doorCheck.start();
    node.logRotation.start();
    await node.stop.begun;
    notifier.stopping();
    const killed = await node.stop.stop('stop');
    return killed.length === 0 ? EXIT.done : EXIT.failed;
  } finally {
    node.stats.stop();
    node.doorCheck.stop();
    node.door.close();
    node.logRotation.stop();
    await notifier.close();
    await node.control.close();
    await node.nonces.close();
    node.socket.close();
    forgetSignals();
    forgetFaults();
  }
}

/** Rejects when a child could not start, or a stop was asked for meanwhile; then no child is left. */
async function startChildren({ supervisor, stop }: NodeOfChildren): Promise<void> {
  const stopped = stop.begun.then(() => {
    throw new SpushError('START_FAILED', 'the server was stopped before it was ready');
  });
  try {
    await Promise.race([supervisor.start(), stopped]);
  } catch (error) {
    await stop.stop('the start failed', { deadlineMs: FAILED_START_STOP_MS });
    throw error;
  }
}

interface NodeOfChildren {
  readonly supervisor: Supervisor;
  readonly stop: NodeStop;
}

interface AssembledNode extends NodeOfChildren {
  readonly stats: StatsPoll<Child>;
  readonly socket: ControlSocket;
  readonly control: ControlServer;
  readonly door: FrontDoor;
  readonly doorCheck: DoorCheck;
  /** Connections are accepted from now on; answers the address. */
  readonly openDoor: () => Promise<string>;
  readonly vitals: () => Vitals;
  readonly logRotation: LogRotation;
  readonly nonces: NonceFile;
  /** Every process opens the log file anew; answers how many are told. */
  readonly reopenLogs: () => number;
  /** What is wrong at this moment, in words, the same once. */
  readonly warnings: () => Promise<string[]>;
}

function assembleNode(options: RunMasterOptions, parts: NodeParts): AssembledNode {
  const { log, troubles, program, notifier } = parts;
  const { config } = options;
  const clock = systemClock;
  const nodeRun = newNodeRun();
  const totals = new Totals<Child>();
  const descriptors = descriptorLimit();
  const tellShortage = (config: Config): void => {
    const shortage = descriptorShortage(config, descriptors);
    if (shortage === null) troubles.end('descriptors');
    else troubles.begin('descriptors', shortage);
  };
  tellShortage(config);
  let listen = '';
  const door = new FrontDoor({
    clock,
    log,
    waitingMax: () => masterRoom(live.current, descriptors),
    isShared: (address) => isLoopback(address) || trusted().has(address),
  });
  const book = new NonceBook(clock);
  const nonces = new NonceFile(nonceFile(config.paths, config.mode), { book, troubles, clock });
  const live: LiveConfig = new LiveConfig(options, (changed) => {
    log.setLevel(changed.system.LogLevel);
    tellShortage(changed);
    relays.onConfig(changed);
    for (const { hears, peer } of supervisor.living()) {
      if (hears) peer.note('config', { config: toPlainConfig(changed) });
    }
  });
  const trusted = latestAddressList(() => live.current.system.TrustedProxies);
  const relays: Relays = new Relays({
    config: () => live.current,
    descriptors,
    door,
    nonces: { book, file: nonces },
    clock,
    log,
    workers: () => supervisor.ready('worker'),
    figures: () => figures.soon(),
    troubles: async () => addUpTroubles((await allTroubles()).map(({ report }) => report)),
    onMemoryAbove: (child, use) => void memoryGuard.above(child, use),
  });
  const supervisor: Supervisor = new Supervisor({
    mode: config.mode,
    nodeRun,
    console: options.console,
    counts: { worker: config.system.WorkerNum, task: config.system.TaskWorkerNum, crontab: 1 },
    spawn: processSpawner(() => program.mainFileToStart()),
    generators: new Generators(Math.random),
    clock,
    log,
    initConfig: () => toPlainConfig(live.current),
    hasHooks: () => live.hasHooks,
    handlersOf: (child) => relays.handlersOf(child),
    onConnected: (child) => relays.onConnected(child),
    onReady: (child) => {
      relays.onReady(child);
      versions.look();
    },
    onEnded: (child, end) => {
      relays.onEnded(child, end);
      totals.ended(child);
      versions.look();
    },
    onLastStats: (child, stats) => totals.learn(child, stats),
    onWaiting: (child, what) => stop.onWaiting(child, what),
  });
  const versions = new ProgramVersions({
    mode: config.mode,
    version: programVersion(options.version),
    children: () => supervisor.living(),
    troubles,
  });
  const deadlineMs = (): number => live.current.system.StopSeconds * 1000;
  const stop: NodeStop = new NodeStop({
    supervisor,
    deadlineMs,
    onStopping: () => {
      relays.tasks.close();
      door.close();
    },
    log,
  });
  const { mover } = relays;
  const replacing = new OneAtATime();
  const replacer = new Replacer({
    supervisor,
    mover,
    deadlineMs,
    onLeaving: (child) => relays.onLeaving(child),
    clock,
    log,
  });
  const workerCount = new WorkerCount({
    supervisor,
    mover,
    onLeaving: (child) => relays.onLeaving(child),
    deadlineMs,
    log,
  });
  const doorCheck = new DoorCheck({
    door,
    workers: () => supervisor.ready('worker'),
    address: () => listen,
    tls: () => config.system.TlsCert !== null,
    troubles,
    clock,
    log,
  });
  const openDoor = async (): Promise<string> => {
    const { Port: port, Backlog: backlog } = config.system;
    const { host, also } = listenHosts(config);
    listen = await door.listen({ host, also, port, backlog });
    return listen;
  };
  const memoryGuard: MemoryGuard = new MemoryGuard({ supervisor, replacer, replacing, clock, log });
  const children = (): Child[] => supervisor.living().filter(({ hears }) => hears);
  const stats = new StatsPoll({ children, isLiving: (child) => children().includes(child), totals, log });
  const allTroubles = (): Promise<ProcessTroubles[]> =>
    askTroubles({ name: masterTitle(config.mode), own: troubles, children, log });
  const sums = async () => {
    await stats.now();
    return totals.sum();
  };
  const startedAt = clock.now();
  const figures: OwnFigures = new OwnFigures({
    run: nodeRun,
    version: options.version,
    versions: () => versions.list().map(({ version }) => version ?? 'unknown'),
    startedAt,
    nodeName: () => live.current.system.NodeName,
    maxLinkNumber: () => live.current.system.MaxLinkNumber,
    askChildren: () => stats.now(),
    sum: () => totals.sum(),
    workerNum: () => supervisor.slotsOf('worker').filter(({ state }) => state === 'ready').length,
    taskNum: () => supervisor.ready('task').length,
  });
  const reopenLogs = (): number => {
    log.reopen();
    const told = children();
    for (const { peer } of told) peer.note('log.reopen', {});
    return told.length + 1;
  };
  const handlerParts = {
    program,
    startedAt,
    environment: parts.environment,
    figures,
    versions,
    options,
    live,
    supervisor,
    stop,
    relays,
    replacing,
    replacer,
    workerCount,
    sums,
    troubles: allTroubles,
    reopenLogs,
    listen: () => listen,
    effectiveMaxLinks: () => effectiveMaxLinks(live.current, descriptors),
    shortage: (config: Config) => descriptorShortage(config, descriptors),
    door,
    clock,
    log,
    notifier,
  };
  const control = new ControlServer(assembleHandlers(handlerParts), log);
  const socket = new ControlSocket({
    path: config.paths.socket,
    troubles,
    log,
    onConnection: (connection) => control.accept(connection),
  });
  const vitals = (): Vitals =>
    nodeVitals({
      readyWorkers: () => supervisor.slotsOf('worker').filter(({ state }) => state === 'ready').length,
      workers: () => workerCount.now,
      openWorkers: () => doorCheck.open,
      connections: () => totals.sum().connections,
      isStopping: () => stop.isUnderWay,
    });
  const logRotation = new LogRotation({
    file: config.paths.logFile,
    limits: () => {
      const { LogBytesMax, LogKeepDays } = live.current.system;
      return { bytesMax: LogBytesMax, keepDays: LogKeepDays };
    },
    reopenAll: () => void reopenLogs(),
    troubles,
    clock,
    log,
  });
  const warnings = async (): Promise<string[]> => {
    const texts = (await allTroubles()).flatMap(({ report }) => report.now.map(({ text }) => text));
    return [...new Set(texts)];
  };
  return {
    supervisor,
    stop,
    stats,
    control,
    socket,
    door,
    doorCheck,
    openDoor,
    vitals,
    logRotation,
    nonces,
    reopenLogs,
    warnings,
  };
}
