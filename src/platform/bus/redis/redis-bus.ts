/**
 * The bus of several nodes: news travels through Redis pub/sub. One channel for each user, to which those processes
 * subscribe that hold the user's sockets; one for everybody; one for each process. Redis keeps nothing: what it loses is
 * in the store, and after each gap everything is subscribed again first and `onGap` is told then.
 *
 * What this process publishes reaches its own listener without the detour, so its own messages are passed over when they
 * come back. The order of one publisher's events for one user is kept. What arrives is hostile input: signed, numbered,
 * checked, refused and counted, never thrown.
 *
 * In a Cluster each server is one shard with its own two connections; elsewhere there is one shard.
 */

import { assert } from '../../../shared/base/assert.js';
import { type Clock, type Moment, msSince } from '../../../shared/base/clock.js';
import { errorText, SpushError } from '../../../shared/base/errors.js';
import { type BusEvent, busEventText, busEventUid } from '../../../shared/protocol/bus-events.js';
import {
  type Answers,
  QUESTION_REACH,
  type QuestionName,
  type Questions,
  questionSchemas,
} from '../../../shared/protocol/questions.js';
import type { RedisConfig } from '../../config/config-schema.js';
import type { Log } from '../../log/log.js';
import { seldomLog } from '../../log/seldom-log.js';
import { type Bus, type BusListener, OTHERS_UNREACHED, type ProbeResult } from '../bus.js';
import { type BusIdentity, nodeOf } from '../bus-identity.js';
import { eventPieces } from '../event-pieces.js';
import type { BusCounts } from '../local-bus.js';
import { OwnEvents } from '../own-events.js';
import { AskDesk, newAskId } from './ask-desk.js';
import { type BusMessage, type BusWord, isBusEvent, parseBusMessage } from './bus-message.js';
import { type Channel, Channels } from './channels.js';
import { Envelopes, type Opened, type Refusal, type Sender } from './envelope.js';
import { keySlot } from './key-slot.js';
import { KickTeller } from './kick-teller.js';
import { HERE_EVERY_MS, Members, memberName } from './members.js';
import { MissedKicks } from './missed-kicks.js';
import { NameTwins } from './name-twins.js';
import { createLayoutFinder, type LayoutFinder, type LayoutServer } from './redis-layout.js';
import { RedisLink } from './redis-link.js';
import { RedisShard } from './redis-shard.js';
import { SenderNumbers } from './sender-numbers.js';
import { ShardMap } from './shard-map.js';
import { startFault } from './start-fault.js';

/** Longer than it takes to find that a server is silent, so that a lost connection is not taken for a slow one. */
const FOLLOW_DEADLINE_MS = 5000;
const CLOSE_DEADLINE_MS = 500;
/** What a living process has published is out of it sooner than this. */
const UNSENT_MS_MAX = 5000;
/** Others are told at most this often that they miss something: each of them reads its store then. */
const LOST_EVERY_MS = 3000;

type Answering = (question: QuestionName, args: unknown) => unknown;

export interface RedisBusOptions {
  readonly redis: RedisConfig;
  readonly identity: BusIdentity;
  /** Absent in processes that hold no sockets: they publish and ask only. */
  readonly listener?: BusListener;
  /** What this process answers; it is asked only when this is there. The arguments have passed their schema. */
  readonly answer?: Answering;
  /** Asks this node's own processes without Redis. */
  readonly askNode?: Bus['ask'];
  readonly clock: Clock;
  readonly log: Log;
  readonly onHealth?: (healthy: boolean) => void;
  /** Logs when another node has this node's name: one process of a node does. */
  readonly warnsOfTwin?: boolean;
  readonly random?: () => number;
  /** Instead of the one that the configuration asks for. */
  readonly finder?: LayoutFinder;
}

export interface RedisBusCounts extends BusCounts {
  readonly refused: Record<Refusal, number>;
  gaps: number;
}

export class RedisBus implements Bus {
  readonly counts: RedisBusCounts = {
    published: 0,
    received: 0,
    bad: 0,
    dropped: 0,
    refused: {
      tooLarge: 0,
      malformed: 0,
      unknownKey: 0,
      forged: 0,
      time: 0,
      replayed: 0,
      badContents: 0,
    },
    gaps: 0,
  };
  readonly #options: RedisBusOptions;
  readonly #log: Log;
  readonly #seldom: Pick<Log, 'warn'>;
  readonly #listener: BusListener | null;
  readonly #channels: Channels;
  readonly #envelopes: Envelopes;
  readonly #numbers: SenderNumbers;
  readonly #members: Members;
  readonly #kicks: MissedKicks;
  readonly #kickTeller: KickTeller;
  readonly #twins: NameTwins | null;
  readonly #asks = new AskDesk();
  readonly #map: ShardMap;
  readonly #followed = new Set<number>();
  #lanes = 0;
  readonly #ownEvents = new OwnEvents((event) => {
    if (!this.#closed) this.#listener?.onEvent(event);
  });
  #opened = false;
  #closed = false;
  /** Since when news may have been missed (Unix ms, as messages are stamped); null: it is not, every connection in use works. */
  #gapSince: number | null;
  /** Since when this process may not hear what others say to all; null: it does. */
  #cutOffSince: Moment | null;
  /** Since when (Unix ms) news of this process has been lost without the others having been told; null: none was. */
  #lostSince: number | null = null;
  #lostToldAt: Moment | null = null;
  #hereTimer: NodeJS.Timeout | null = null;
  #helloTimer: NodeJS.Timeout | null = null;
  #lostTimer: NodeJS.Timeout | null = null;

  private constructor(options: RedisBusOptions) {
    const { redis, identity, clock, log } = options;
    const [first, ...rest] = redis.busKeys;
    assert(first !== undefined, 'a bus of several nodes has a key; the configuration was checked');
    this.#options = options;
    this.#log = log;
    this.#seldom = seldomLog(log, clock);
    this.#gapSince = clock.now();
    this.#cutOffSince = clock.moment();
    this.#listener = options.listener ?? null;
    this.#channels = new Channels(redis.prefix, identity);
    this.#envelopes = new Envelopes([first, ...rest]);
    this.#numbers = new SenderNumbers(clock);
    this.#members = new Members(clock);
    this.#kicks = new MissedKicks(clock);
    this.#kickTeller = new KickTeller({
      kicks: this.#kicks,
      say: (channel, word) => this.#say(channel, word),
      said: async (channel) => this.#map.of(channel)?.probe(FOLLOW_DEADLINE_MS),
      log,
    });
    this.#twins = options.warnsOfTwin === true ? new NameTwins(identity, clock) : null;
    this.#map = new ShardMap({
      finder: options.finder ?? createLayoutFinder({ redis, name: clientName(identity), log }),
      newShard: (server, sharded) => this.#newShard(server, sharded),
      onHealth: (healthy) => this.#onHealth(healthy),
      random: options.random ?? Math.random,
      log,
      seldom: this.#seldom,
    });
  }

  /**
   * @param mustReach the start fails (START_FAILED) when Redis is not reached; else it goes on trying, as a process that
   * is started again while Redis is away has to serve its node.
   */
  static async open(options: RedisBusOptions, { mustReach }: { mustReach: boolean }): Promise<RedisBus> {
    const bus = new RedisBus(options);
    try {
      await bus.#map.start();
    } catch (error) {
      if (mustReach) {
        await bus.close();
        throw startFault(options.redis, error);
      }
      options.log.error('redis.notThereAtStart', { error: errorText(error) });
    }
    bus.#opened = true;
    bus.#announce();
    bus.#map.watch();
    return bus;
  }

  /** Whether every connection in use has proved that it works. */
  get healthy(): boolean {
    return this.#map.healthy;
  }

  publish(event: BusEvent): void {
    if (this.#closed) return;
    for (const piece of eventPieces(event)) this.#publishOne(piece);
  }

  #publishOne(event: BusEvent): void {
    this.counts.published += 1;
    const to = busEventUid(event);
    if (this.#listener && (to === null || this.#followed.has(to))) this.#ownEvents.put(event);
    const channel = to === null ? this.#channels.all : this.#channels.user(to);
    const taken = this.#map.of(channel)?.publish(channel, busEventText(event)) ?? false;
    if (!taken) this.#onLostNews(1);
  }

  async follow(uid: number): Promise<void> {
    this.#followed.add(uid);
    const channel = this.#channels.user(uid);
    // Not reached: whoever comes up begins with all who are followed, and tells a gap then.
    await this.#map.of(channel)?.subscribe(channel, FOLLOW_DEADLINE_MS);
  }

  unfollow(uid: number): void {
    if (!this.#followed.delete(uid)) return;
    const channel = this.#channels.user(uid);
    this.#map.of(channel)?.unsubscribe(channel);
  }

  async ask<Q extends QuestionName>(
    question: Q,
    args: Questions[Q]['args'],
    options: { deadlineMs: number; patient?: boolean },
  ): Promise<Answers<Questions[Q]['result']>> {
    type Result = Answers<Questions[Q]['result']>;
    const { askNode } = this.#options;
    if (QUESTION_REACH[question] === 'node' && askNode) return askNode(question, args, options);
    if (!this.healthy && askNode) {
      this.#remember(newAskId(), question, args);
      const own = await askNode(question, args, options);
      return { answers: own.answers, silent: [...own.silent, OTHERS_UNREACHED] };
    }
    const [own, others] = await Promise.all([
      this.#askOwn(question, args, options.deadlineMs),
      this.#asks.ask(question, this.#members.holding(), options, (id) => {
        this.#remember(id, question, args);
        // Not kept for later: a question that is answered nobody waits for.
        if (this.#map.of(this.#channels.all)?.up)
          this.#say(this.#channels.all, { t: 'ask', id, question, args });
      }),
    ]);
    const unreached = this.healthy ? [] : [OTHERS_UNREACHED];
    // Processes that are away may still hold connections of the user; for figures they count as gone.
    const away = question === 'figures' ? [] : this.#members.away().map(memberName);
    return {
      answers: [...own.answers, ...others.answers],
      silent: [...own.silent, ...others.silent, ...away, ...unreached],
    } as Result;
  }

  /** A round trip over every connection in use. */
  async probe({ deadlineMs }: { deadlineMs: number }): Promise<ProbeResult> {
    const shards = this.#map.all();
    if (shards.length === 0) throw new SpushError('RPC_PEER_GONE', 'Redis is not reached');
    const complete = !this.#map.forwards;
    await Promise.all(shards.map((shard) => shard.probe(deadlineMs)));
    return { complete: complete && !this.#map.forwards };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    if (this.#opened) this.#say(this.#channels.all, { t: 'gone' });
    this.#closed = true;
    for (const timer of [this.#hereTimer, this.#helloTimer, this.#lostTimer]) {
      if (timer) clearTimeout(timer);
    }
    this.#asks.close();
    await this.#map.close(CLOSE_DEADLINE_MS);
    this.#followed.clear();
  }

  /** A process of this node has died, with news that it may not have got out: everybody looks into the store. */
  siblingDied(): void {
    const since = this.#options.clock.now() - UNSENT_MS_MAX;
    this.#lostSince = Math.min(this.#lostSince ?? since, since);
    this.#tellLost();
    this.#gap(since);
  }

  /** For commands on a key beside the news; null while its server is not reached. */
  linkFor(key: string): RedisLink | null {
    return this.#map.holding(key)?.link ?? null;
  }

  nonceKey(scope: string, nonce: string): string {
    return this.#channels.nonce(scope, nonce);
  }

  #say(channel: string, word: BusWord): boolean {
    if (this.#closed) return false;
    return this.#map.of(channel)?.publish(channel, JSON.stringify(word), true) ?? false;
  }

  // One server.

  #newShard({ address, slots }: LayoutServer, sharded: boolean): RedisShard {
    const { redis, identity, clock, log } = this.#options;
    this.#lanes += 1;
    const sender: Sender = { ...identity, lane: this.#lanes };
    let seq = 0;
    const shard: RedisShard = new RedisShard({
      address,
      sharded,
      probeChannel: this.#probeChannel(slots),
      channels: () => this.#channelsOf(shard),
      open: (at, purpose) =>
        RedisLink.open({ address: at, redis, name: `${clientName(identity)}.${purpose}` }),
      seal: (channel, contents) => {
        seq += 1;
        return this.#envelopes.seal(channel, { sender, seq, ts: clock.now(), contents });
      },
      onMessage: (from, channel, message) => this.#onMessage(from, channel, message),
      onUp: (from) => this.#onUp(from),
      onDown: () => this.#onDown(),
      onLostNews: (lines) => this.#onLostNews(lines),
      onMoved: () => this.#map.findSoon(),
      random: this.#options.random ?? Math.random,
      clock,
      log,
    });
    return shard;
  }

  /** Numbers are tried until one lies on the server; with a thousand servers that is a thousand tries. */
  #probeChannel(slots: LayoutServer['slots']): string {
    for (let number = 0; ; number += 1) {
      const channel = this.#channels.probe(number);
      const slot = keySlot(channel);
      if (slots.some(({ from, to }) => from <= slot && slot <= to)) return channel;
    }
  }

  *#channelsOf(shard: RedisShard): Iterable<string> {
    const { all, own } = this.#channels;
    for (const channel of [all, own]) if (this.#map.of(channel) === shard) yield channel;
    for (const uid of this.#followed) {
      const channel = this.#channels.user(uid);
      if (this.#map.of(channel) === shard) yield channel;
    }
  }

  #onUp(shard: RedisShard): void {
    this.#map.judgeHealth();
    if (!this.#opened) {
      if (!this.healthy) return;
      this.#gapSince = null;
      this.#cutOffSince = null;
      return;
    }
    this.#log.info('redis.again', { server: shard.name });
    this.#members.excuse();
    const cutOffSince = this.healthy ? this.#cutOffSince : null;
    this.#announceNow(cutOffSince === null ? null : msSince(this.#options.clock, cutOffSince));
    this.#tellLost();
    this.#gap(this.#gapSince);
    if (!this.healthy) return;
    this.#gapSince = null;
    this.#cutOffSince = null;
    if (cutOffSince === null) return;
    // Those of others are told by whoever was not cut off.
    void this.#kickTeller.tell(this.#channels.all, cutOffSince, this.#options.identity.node);
  }

  #onHealth(healthy: boolean): void {
    const { clock } = this.#options;
    if (!healthy) {
      this.#gapSince ??= Math.min(this.#map.provenAt(clock), clock.now());
      this.#cutOffSince ??= clock.moment();
    }
    this.#options.onHealth?.(healthy);
  }

  #onDown(): void {
    this.#map.judgeHealth();
    this.#map.findSoon();
  }

  // Gaps.

  #gap(since: number | null): void {
    if (this.#closed) return;
    this.counts.gaps += 1;
    this.#log.warn('bus.gap', { since });
    this.#listener?.onGap(since);
  }

  #onLostNews(lines: number): void {
    this.counts.dropped += lines;
    const log = this.#seldom;
    log.warn('bus.dropping', { dropped: this.counts.dropped });
    this.#lostSince ??= this.#gapSince ?? this.#options.clock.now();
    this.#tellLost();
  }

  /** As soon as they can hear it. */
  #tellLost(): void {
    if (this.#lostSince === null || this.#closed || !this.#map.of(this.#channels.all)?.up) return;
    const { clock } = this.#options;
    const wait = this.#lostToldAt === null ? 0 : LOST_EVERY_MS - msSince(clock, this.#lostToldAt);
    if (wait > 0) {
      this.#lostTimer ??= setTimeout(() => {
        this.#lostTimer = null;
        this.#tellLost();
      }, wait);
      return;
    }
    const since = this.#lostSince;
    this.#lostSince = null;
    this.#lostToldAt = clock.moment();
    this.#say(this.#channels.all, { t: 'lost', since });
  }

  // What arrives.

  #onMessage(shard: RedisShard, name: string, message: Buffer): void {
    const channel = this.#channels.parse(name);
    if (channel === null) return;
    const opened = this.#envelopes.open(name, message, this.#options.clock.now());
    if (typeof opened === 'string') {
      this.#refuse(opened, channel);
      return;
    }
    const isOwn = opened.sender.node === this.#options.identity.node;
    if (isOwn && channel.of !== 'probe') return;
    if (!isOwn && channel.of === 'probe') {
      this.#refuse('badContents', channel, opened, 'a probe of another process');
      return;
    }
    if (!this.#numbers.take(opened)) {
      this.#refuse('replayed', channel, opened);
      return;
    }
    for (const line of opened.contents.toString('utf8').split('\n')) {
      const parsed = parseBusMessage(line, channel);
      if (typeof parsed === 'string') {
        this.counts.bad += 1;
        this.#refuse('badContents', channel, opened, parsed);
      } else this.#take(shard, { ...opened, channel }, parsed);
    }
  }

  #take(shard: RedisShard, { sender, channel }: Opened & { channel: Channel }, message: BusMessage): void {
    if (isBusEvent(message)) {
      this.counts.received += 1;
      const to = busEventUid(message);
      if (to === null || this.#followed.has(to)) this.#listener?.onEvent(message);
      return;
    }
    switch (message.t) {
      case 'probe':
        shard.heard(message.id);
        return;
      case 'here': {
        if (this.#twins?.heard(sender)) this.#log.warn('bus.nodeNameTwice', { ...nodeOf(sender) });
        const deafSince = this.#members.deafSince(sender.node, message.deafMs);
        if (deafSince !== null) void this.#kickTeller.tell(this.#channels.node(sender.node), deafSince, null);
        if (this.#members.here({ node: sender.node, process: sender.process, holds: message.holds }))
          this.#hello();
        return;
      }
      case 'gone':
        this.#members.gone(sender.node);
        return;
      case 'lost':
        this.#gap(message.since === undefined ? null : Math.min(message.since, this.#options.clock.now()));
        return;
      case 'ask':
        void this.#answer(sender, channel, message);
        return;
      case 'answer':
        if (!this.#asks.answered(sender, message.id, message.result)) {
          this.#refuse(
            'badContents',
            { of: 'node' },
            null,
            `the answer of ${memberName(sender)} does not fit`,
          );
        }
        return;
    }
  }

  #refuse(
    reason: Refusal,
    channel: Channel,
    opened: Opened | null = null,
    fault: string | null = null,
  ): void {
    this.counts.refused[reason] += 1;
    const log = this.#seldom;
    log.warn('bus.refused', {
      reason,
      channel: channel.of,
      from: opened === null ? null : memberName(opened.sender),
      fault,
      refused: Object.values(this.counts.refused).reduce((sum, count) => sum + count, 0),
    });
  }

  // Questions.

  async #askOwn(question: QuestionName, args: unknown, deadlineMs: number): Promise<Answers<unknown>> {
    const { answer, identity } = this.#options;
    if (!answer) return { answers: [], silent: [] };
    const from = memberName(identity);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<Answers<unknown>>((resolve) => {
      timer = setTimeout(() => resolve({ answers: [], silent: [from] }), deadlineMs);
    });
    const answered = (async (): Promise<Answers<unknown>> => {
      try {
        return { answers: [{ from, result: await answer(question, args) }], silent: [] };
      } catch (error) {
        this.#log.warn('ask.failed', { question, error: errorText(error) });
        return { answers: [], silent: [from] };
      }
    })();
    const result = await Promise.race([answered, late]);
    clearTimeout(timer);
    return result;
  }

  async #answer(
    asker: BusIdentity,
    channel: Channel,
    { id, question, args }: BusWord & { t: 'ask' },
  ): Promise<void> {
    const { answer } = this.#options;
    if (!answer && question !== 'kick') return;
    const parsed = questionSchemas[question].args.safeParse(args);
    if (!parsed.success) {
      this.#refuse('badContents', channel, null, `arguments of ${question} do not fit`);
      return;
    }
    const isNews =
      question !== 'kick' || this.#kicks.heard(id, asker.node, parsed.data as Questions['kick']['args']);
    if (!answer || !isNews) return;
    try {
      const result = await answer(question, parsed.data);
      this.#say(this.#channels.node(asker.node), { t: 'answer', id, result });
    } catch (error) {
      // The asker names us as silent.
      this.#log.warn('ask.failed', { question, error: errorText(error) });
    }
  }

  #remember(id: string, question: QuestionName, args: unknown): void {
    if (question !== 'kick') return;
    this.#kicks.heard(id, this.#options.identity.node, args as Questions['kick']['args']);
  }

  // Who is there.

  #announce(): void {
    this.#announceNow();
    const { clock } = this.#options;
    let lookedAt = clock.moment();
    this.#hereTimer = setInterval(() => {
      const wasHeldUp = msSince(clock, lookedAt) >= 2 * HERE_EVERY_MS;
      lookedAt = clock.moment();
      // What others said meanwhile waits in the sockets of a process that was suspended or blocked.
      if (wasHeldUp) this.#members.excuse();
      else if (this.healthy) this.#missSilent();
      this.#announceNow();
    }, HERE_EVERY_MS);
  }

  /** @param deafMs for how long this process has not heard, and now does */
  #announceNow(deafMs: number | null = null): void {
    if (!this.#map.of(this.#channels.all)?.up) return;
    const holds = this.#options.answer !== undefined;
    this.#say(this.#channels.all, { t: 'here', holds, ...(deafMs === null ? {} : { deafMs }) });
  }

  /** A process that ended without a word may have had news that it did not get out, of messages that were answered. */
  #missSilent(): void {
    const silent = this.#members.newlySilent();
    this.#members.missAway();
    if (silent.length === 0) return;
    this.#log.warn('bus.silent', {
      processes: silent.map(({ member }) => memberName(member)).join(', '),
    });
    this.#gap(Math.min(...silent.map(({ at }) => at)));
  }

  /** Somebody is new and does not know us yet. */
  #hello(): void {
    this.#helloTimer ??= setTimeout(() => {
      this.#helloTimer = null;
      this.#announceNow();
    }, 20);
  }
}

/** CLIENT SETNAME takes no blanks. */
function clientName({ node, process }: BusIdentity): string {
  return `${node}.${process}`;
}
