/**
 * A process of its own that holds many connections (handoff-socket.mjs) and does with them what its parent
 * (handoff-load.ts) says, so that the loop of the test does not stand between a server and the clock.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { answerCalls } from './child-calls.mjs';
import { HandoffSocket } from './handoff-socket.mjs';

/** Connections that are opened at a time. */
const OPENING = 32;
const BEAT_MS = 4;
const ACK_MS = 50;
/** How often pings are sent, so many each time that the rate is met. */
const PING_MS = 10;

const sockets = new Map();
/** The same, in the order of their turns. */
const all = [];
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();

let perSecond = 0;
let owed = 0;
let lastAt = performance.now();
let turn = 0;

setInterval(() => HandoffSocket.beat(), BEAT_MS);
setInterval(() => {
  for (const socket of all) if (socket.toAck.length > 0) socket.flushAcks();
}, ACK_MS);
setInterval(() => {
  const now = performance.now();
  owed += (perSecond * (now - lastAt)) / 1000;
  lastAt = now;
  if (owed < 1) return;
  // What could not be sent in time is not made up for: a burst would measure itself.
  const count = Math.min(Math.floor(owed), Math.ceil(perSecond / 20), all.length);
  owed -= Math.floor(owed);
  for (let k = 0; k < count; k += 1) {
    turn = (turn + 1) % all.length;
    if (all[turn].spec.kind !== 'bytes') all[turn].ping();
  }
}, PING_MS);

async function open({ target, specs }) {
  const waiting = [...specs];
  await Promise.all(
    Array.from({ length: OPENING }, async () => {
      for (let spec = waiting.shift(); spec; spec = waiting.shift()) {
        const socket = new HandoffSocket(spec);
        await socket.open(target);
        sockets.set(spec.n, socket);
        all.push(socket);
      }
    }),
  );
  return sockets.size;
}

async function until(look, waitMs) {
  const end = performance.now() + waitMs;
  while (!look() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
  return look();
}

function socketOf(n) {
  const socket = sockets.get(n);
  if (!socket) throw new Error(`socket ${n} is not here`);
  return socket;
}

const living = () => all.filter(({ closed }) => !closed);

answerCalls({
  open,
  startPings({ rate }) {
    perSecond = rate;
    owed = 0;
    lastAt = performance.now();
    for (const socket of all) {
      socket.pings = true;
      if (socket.spec.kind === 'bytes') socket.ping();
    }
  },
  /** Resolves when everything begun is sent and answered, or the time is over; what is missing is in the report. */
  async stopPings({ waitMs }) {
    perSecond = 0;
    for (const socket of all) socket.pings = false;
    return until(
      () => living().every((s) => !s.inPieces && s.unanswered === 0 && s.toAck.length === 0),
      waitMs,
    );
  },
  /** Every open one is pinged once more, or is about to be; answers how many have heard the answer in time. */
  async pingAll({ waitMs }) {
    const due = living().map((socket) => {
      socket.ping();
      return { socket, count: socket.pingsSent };
    });
    const answered = ({ socket, count }) => !socket.closed && socket.pingsAnswered >= count;
    await until(() => due.every(answered), waitMs);
    return due.filter(answered).length;
  },
  takePeriod() {
    const loopMs = delay.max / 1e6;
    delay.reset();
    return { loopMs, sockets: all.map((socket) => socket.takePeriod()) };
  },
  async ask({ n, cmd, body }) {
    return socketOf(n).ask(cmd, body);
  },
  /** How many different messages all have seen together. */
  itemCount() {
    let count = 0;
    for (const { items } of all) count += items.size;
    return count;
  },
  closedCount() {
    let count = 0;
    for (const { closed } of all) if (closed && !closed.byUs) count += 1;
    return count;
  },
  report() {
    return all.map((socket) => socket.report());
  },
  /** `how`: close, or vanish */
  leave({ numbers, how }) {
    for (const n of numbers) socketOf(n)[how]();
  },
});
