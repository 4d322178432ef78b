/**
 * A Worker: HTTP API and WebSocket on the shared port. This file makes the concrete things and hands each part what it
 * needs; it decides nothing itself.
 */
import {
  addressBudgetKey,
  isLoopback,
  latestAddressList,
  latestClientAddress,
} from '../platform/auth/client-address.js';
import { createVerifier, verifierConcurrency } from '../platform/auth/create-verifier.js';
import { foreignCaller } from '../platform/auth/foreign-caller.js';
import { newBusIdentity, nodeOf, nodeTitle } from '../platform/bus/bus-identity.js';
import { openBus } from '../platform/bus/open-bus.js';
import { systemClock } from '../platform/clock/system-clock.js';
import type { SystemConfig } from '../platform/config/config-schema.js';
import { fromPlainConfig } from '../platform/config/plain-config.js';
import { descriptorLimit, type WorkerRoom, workerRoom } from '../platform/limits/descriptors.js';
import { visitorShare } from '../platform/limits/visitor-share.js';
import { eachRefusal } from '../platform/log/each-refusal.js';
import type { Log } from '../platform/log/log.js';
import { refusalLog } from '../platform/log/refusal-log.js';
import { seldomLog } from '../platform/log/seldom-log.js';
import { openLoopDelay } from '../platform/metrics/loop-delay.js';
import { measuredStore } from '../platform/metrics/measured-store.js';
import { Metrics } from '../platform/metrics/metrics.js';
import { masterPermits, PermitPool } from '../platform/permits/permit-pool.js';
import { packageVersion } from '../platform/program/package-version.js';
import { type ChildContext, runChild, type StartedChild } from '../platform/rpc/child-runtime.js';
import { childStats } from '../platform/rpc/child-stats.js';
import { openStore } from '../platform/store/open-store.js';
import type { SpillHooks } from '../platform/store/spill/spilling-store.js';
import { errorText } from '../shared/base/errors.js';
import { createMessageIdSource } from '../shared/domain/message-id.js';
import type { Questions } from '../shared/protocol/questions.js';
import { createApi } from './api/api.js';
import { createReadiness } from './api/readiness.js';
import { askNodes } from './ask-nodes.js';
import { createAcceptance } from './delivery/acceptance.js';
import { Canary } from './delivery/canary.js';
import { Delivery } from './delivery/delivery.js';
import { recentGap } from './delivery/gap.js';
import { GapSweep } from './delivery/gap-sweep.js';
import { MovedMessages } from './delivery/moved-messages.js';
import { Replays } from './delivery/replay.js';
import { SentMarks } from './delivery/sent-marks.js';
import { AddressBudget } from './gateway/address-budget.js';
import { Backlog } from './gateway/backlog.js';
import { DoorLink } from './gateway/door-link.js';
import { FrameTurns } from './gateway/frame-turns.js';
import { Gateway, retrySpread } from './gateway/gateway.js';
import { HandshakeMeter } from './gateway/handshake-meter.js';
import { createHttpServer } from './gateway/http-server.js';
import { IdleSweep } from './gateway/idle-sweep.js';
import { Arrivals } from './handoff/arrivals.js';
import { Departures } from './handoff/departures.js';
import { assertKnownInternals } from './handoff/known-internals.js';
import { Reception } from './handoff/reception.js';
import { TransitBox } from './handoff/transit-box.js';
import { answerSpilled } from './inspect/answer-spilled.js';
import { showMessage } from './inspect/show-message.js';
import { showUser } from './inspect/show-user.js';
import { MemoryWatch } from './memory-watch.js';
import { nodeTroubles } from './node-troubles.js';
import { ReaderStore } from './readers/reader-store.js';
import { createAnswers } from './sessions/answer-questions.js';
import { LoginDesk } from './sessions/login-desk.js';
import { LoginTries } from './sessions/login-tries.js';
import { SessionRegistry } from './sessions/session-registry.js';
import { UserFollows } from './sessions/user-follows.js';
import { VisitorPlaces } from './sessions/visitor-places.js';
import { stopWorker } from './stop-worker.js';
import { createWorkerStats } from './worker-stats.js';

const BUS_PROBE_MS = 1500;
const NONCE_CLAIM_MS = 3000;
/** Another node awaits the answer for 250 ms. */
const NODE_FIGURES_MS = 200;

export function runWorker(): Promise<number> {
  return runChild('worker', {
    parseConfig: (plain) => fromPlainConfig(plain, { loadFunctions: true }),
    start: startWorker,
  });
}

async function startWorker(context: ChildContext): Promise<StartedChild<'worker'>> {
  const { config, current, log, peer, name } = context;
  logUnknownInternals(log);
  const clock = systemClock;
  const descriptors = descriptorLimit();
  const system = (): SystemConfig => current().system;
  const room = (): WorkerRoom => workerRoom(current(), descriptors);
  const stats = createWorkerStats();
  const loopDelay = openLoopDelay();
  const metrics = new Metrics({ processFigures: true, loopDelay });
  const ids = createMessageIdSource(context.generator, clock);
  const onGroup = (calls: number): void => metrics.groupCommitted(calls);
  const moved = new MovedMessages();
  const spillHooks: SpillHooks = {
    onLive: (items) => moved.publish(items),
    onSpilled: (messages) => metrics.messagesSpilled(messages),
    onWaiting: (messages) => metrics.spillWaits(messages),
  };
  const store = measuredStore(
    await openStore(config, { ids, clock, log, create: context.firstStart, onGroup, spillHooks }),
    { metrics, clock },
  );

  const identity = newBusIdentity(name, config.system.NodeName, context.nodeRun);
  const node = nodeTitle(nodeOf(identity));
  const sessions = new SessionRegistry();
  const marks = new SentMarks({ store, clock, log });
  const backlog = new Backlog({ clock, bytesMax: () => system().OutboxWorkerBytes });
  const readerStore = new ReaderStore(store, (uid) => backlog.hasRoom(uid));
  const replays = new Replays({ store: readerStore, delivery: () => delivery, clock, log });
  const transit = new TransitBox(clock);
  const delivery: Delivery = new Delivery({
    sessions,
    marks,
    stats,
    clock,
    catchUp: (session, after) => replays.start(session, after),
    onLost: () => gaps.start({ since: clock.now() }),
    resendMs: () => system().ResendSeconds * 1000,
  });
  const gaps: GapSweep = new GapSweep({ sessions, replays });
  const {
    bus,
    receive,
    gap,
    refused,
    nonces: nonceClaims,
  } = await openBus(config, {
    peer,
    log,
    clock,
    identity,
    warnsOfTwin: context.index === 0,
    mustReach: context.firstStart,
    listener: {
      onEvent: (event) => {
        transit.onEvent(event);
        delivery.onEvent(event);
      },
      onGap: (since) => {
        const gap = since === null ? recentGap(clock) : { since };
        transit.onGap(gap);
        gaps.start(gap);
      },
    },
    answer: (question, args) => answers[question](args as never),
  });
  moved.open(bus);
  const follows = new UserFollows(bus);

  const links = new PermitPool(masterPermits(peer, 'links'), log);
  const visitorPermits = new PermitPool(masterPermits(peer, 'visitors'), log);
  const budget = new AddressBudget();
  const budgetKey = (address: string): string | null =>
    isLoopback(address) ? null : addressBudgetKey(address);
  const visitors = new VisitorPlaces(visitorPermits, {
    budgetKey,
    perAddress: () => visitorShare(current(), descriptors).perAddress,
  });
  const verifier = createVerifier({
    config,
    concurrency: () => verifierConcurrency(config.gzcp.concurrency, system().WorkerNum),
    clock,
    log,
    meter: metrics.gzcp,
    troubles: context.troubles,
  });
  const retryAfter = (): number => retrySpread(system());
  // The message loop says of each login that it was refused.
  const refusals = refusalLog(log, clock, { hasOwnLines: true });
  const desk = new LoginDesk({
    verifier,
    sessions,
    follows,
    tries: new LoginTries({
      clock,
      max: () => system().LoginTriesPerAddress,
      onRefused: (reason, address) => refusals.warn('login.refused', { reason, address }),
    }),
    visitors,
    system,
    clock,
    budgetKey,
    retryAfter,
  });
  const seldom = seldomLog(log, clock);
  const trusted = latestAddressList(() => system().TrustedProxies);
  const handshakes = new HandshakeMeter(clock, Math.random);
  const gateway = new Gateway({
    store: readerStore,
    bus,
    desk,
    replays,
    system,
    stats,
    clock,
    log,
    seldom,
    eachRefusal: eachRefusal(log, clock),
    sessions,
    marks,
    backlog,
    frames: new FrameTurns(clock),
    links,
    visitors,
    handshakes,
    budget,
    budgetKey,
    clientAddress: latestClientAddress(system),
    origins: new Set(config.api.origins.map((origin) => origin.toLowerCase())),
    foreign: foreignCaller(config),
    linksMax: () => room().links,
    onRefused: (reason) => metrics.linkRefused(reason),
  });
  const idle = new IdleSweep({ sessions, system, retryAfter, stats, clock });

  const canary = new Canary(clock);
  const readiness = createReadiness({
    clock,
    log,
    checks: [
      { name: 'store', check: () => store.probe() },
      { name: 'bus', check: () => bus.probe({ deadlineMs: BUS_PROBE_MS }) },
      { name: 'delivery', check: async () => canary.check() },
    ],
  });
  const acceptance = createAcceptance({ store, bus, clock, log: seldom });
  const nonces = nonceClaims({
    async claim(scope: string, nonce: string, timestamp: number): Promise<boolean> {
      const claimed = await peer.call(
        'nonce.claim',
        { scope, nonce, timestamp },
        { deadlineMs: NONCE_CLAIM_MS },
      );
      return claimed.fresh;
    },
  });
  const api = createApi({
    config: current,
    store,
    acceptance,
    bus,
    nonces,
    readiness,
    metrics,
    stats,
    clock,
    log,
    version: packageVersion(),
  });
  const server = createHttpServer({
    system,
    clock,
    log,
    limits: () => ({ max: room().http, perAddress: system().HttpPerAddress }),
    addressKey: (address) =>
      isLoopback(address) || trusted().has(address) ? null : addressBudgetKey(address),
    giveBack: (socket, kept) => door.giveBack(socket, kept),
    onRefused: (reason) => metrics.linkRefused(reason),
    onRequest: (req, res) => api.handle(req, res),
    onContinue: (req, res) => api.handleContinue(req, res),
    onHeadFault: (req, res, fault) => api.refuse(req, res, fault),
    onUpgrade: (req, socket, head) => gateway.onUpgrade(req, socket, head),
  });
  const door: DoorLink = new DoorLink({
    peer,
    open: () => sessions.size + server.connections,
    onSocket: (socket, kept) => server.take(socket, kept),
  });

  const reception = new Reception({ gateway, desk, delivery, replays });
  const handoffDeps = {
    peer,
    transit,
    follows,
    reception,
    gateway,
    links,
    visitors,
    budget,
    budgetKey,
    clock,
    log,
  };
  const arrivals = new Arrivals({
    ...handoffDeps,
    onAdopted: (pausedMs) => metrics.connectionAdopted(pausedMs),
  });
  const departures = new Departures({
    ...handoffDeps,
    bus,
    sessions,
    desk,
    delivery,
    replays,
    gaps,
    stopAccepting: () => server.leave(),
  });
  const memory = new MemoryWatch({ limitBytes: () => system().WorkerMemoryMax, peer });

  metrics.follow(() => ({
    ...stats,
    connections: sessions.size,
    sessions: sessions.loggedIn,
    busDropped: bus.counts.dropped,
  }));
  if (refused) metrics.followBusRefused(() => refused);
  metrics.followTroubles(() => nodeTroubles(peer, context.troubles));
  const names = { node: config.system.NodeName, worker: name };
  const ofSessions = createAnswers({ sessions, clock }, names, (kick) => {
    verifier.forget(kick.uid);
    desk.kicked(kick.uid);
    transit.onKick(kick);
  });
  const ofSpill = answerSpilled(store, node);
  const answers = {
    ...ofSessions,
    async online(args: Questions['online']['args']) {
      const online = ofSessions.online(args);
      return args.details ? { ...online, ...(await ofSpill.ofUser(args.uid)) } : online;
    },
    spilled: ofSpill.ofMessage,
    metrics: async () => ({ metrics: await metrics.json() }),
    figures: () => peer.call('node.figures', {}, { deadlineMs: NODE_FIGURES_MS }),
  };
  let isStopping = false;
  door.start();
  idle.start();
  memory.start();

  return {
    handlers: {
      calls: {
        stats: () => {
          const { accepted, closed, requests, pushes, acks } = stats;
          const open = { connections: sessions.size, sessions: sessions.loggedIn };
          return childStats({ ...open, accepted, closed, requests, pushes, acks });
        },
        answer: ({ question, args }) => answers[question](args as never),
        'nodes.figures': ({ deadlineMs }) => askNodes(bus, deadlineMs),
        'user.show': (asked) => showUser({ store, bus }, asked),
        'message.show': ({ id }) => showMessage({ store, bus, node, hasSpills: config.env !== 0 }, id),
        pendingCount: async () => ({ pending: await store.pendingCount() }),
        'handoff.leave': () => departures.leave(),
        'handoff.stay': () => {
          // A Worker that ends by itself, on a signal, goes on ending.
          if (isStopping) return {};
          server.stay();
          // By a note, so that the master learns of it also when the reply comes too late. It follows every connection that was
          // handed back before.
          peer.note('staying', {});
          return {};
        },
        'handoff.expect': async ({ sessions: expected }) => {
          await arrivals.expect(expected);
          return {};
        },
        'conn.barrier': () => ({}),
      },
      notes: {
        bus: ({ texts }) => receive(texts),
        'bus.gap': () => gap(),
        'permits.scarce': ({ pool, scarce }) => (pool === 'links' ? links : visitorPermits).onScarce(scarce),
        'tls.reload': () => server.reloadTls(),
        'handoff.adopted': ({ id }) => departures.adopted(id),
        'handoff.returned': ({ ids: back }) => departures.returned(back),
        'handoff.cancel': ({ ids: gone }) => arrivals.cancel(gone),
        'handoff.abort': () => departures.abort(),
      },
      hands: {
        'handoff.session': (session, handle) => arrivals.onSession(session, handle),
        conn: (given, handle) => door.onConn(given, handle),
      },
    },
    onConfig: () => server.reloadTls(),
    stop: (options) => {
      isStopping = true;
      const parts = {
        readiness,
        gateway,
        server,
        door,
        idle,
        memory,
        replays,
        gaps,
        marks,
        bus,
        store,
        loopDelay,
        sessions,
        clock,
        log,
      };
      return stopWorker(parts, options);
    },
  };
}

/** Everything works without it, but a reload then closes connections instead of handing them over. */
function logUnknownInternals(log: Log): void {
  try {
    assertKnownInternals();
  } catch (error) {
    log.error('handoff.internals', { error: errorText(error) });
  }
}
