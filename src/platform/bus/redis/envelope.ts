/**
 * What wraps everything on the bus between nodes, so that whoever can write to Redis cannot speak for spush: who sent it,
 * when, its number, and a signature over all of that, the channel and the contents.
 *
 *     1 KEY NODE PROCESS LANE SEQ TS SIGNATURE\n
 *     contents: JSON objects, one a line
 *
 * The head is ASCII with single blanks. LANE is one connection of the sender, SEQ rises by each message in it, TS is Unix
 * ms, SIGNATURE the HMAC-SHA256 in base64url over channel, line feed, head without the signature, line feed, contents.
 * The first key signs, all are accepted. Opening never throws: what is not right is refused with a reason.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { BusIdentity } from '../bus-identity.js';

export const VERSION = '1';
/** Longer messages are refused unread. A push has at most 50 messages of some ten KB. */
export const MESSAGE_BYTES_MAX = 8 * 1024 * 1024;
/** Clocks of nodes must agree within this. */
export const TOLERANCE_MS = 60_000;
const HEAD_BYTES_MAX = 512;

export interface BusKey {
  readonly id: string;
  readonly secret: string;
}

export interface Sender extends BusIdentity {
  /** Which of its connections it used. */
  readonly lane: number;
}

export type Refusal =
  /** More bytes than a message may have. */
  | 'tooLarge'
  /** No head of this version, or cut off. */
  | 'malformed'
  /** Signed with a key that is not, or no longer, configured here. */
  | 'unknownKey'
  | 'forged'
  /** Older or newer than clocks may differ. */
  | 'time'
  /** Its number, or a later one of the same connection, has come already. */
  | 'replayed'
  /** Rightly signed, and not what belongs on this channel. */
  | 'badContents';

export interface Opened {
  readonly sender: Sender;
  readonly seq: number;
  readonly ts: number;
  /** UTF-8 lines. */
  readonly contents: Buffer;
}

export interface Parts {
  readonly sender: Sender;
  readonly seq: number;
  readonly ts: number;
  readonly contents: string;
}

const HEAD = /^1 ([\w.-]{1,64}) ([\w.-]{1,128}) ([\w.-]{1,128}) (\d{1,9}) (\d{1,15}) (\d{1,15}) ([\w-]{43})$/;

export class Envelopes {
  readonly #first: BusKey;
  readonly #secrets: ReadonlyMap<string, string>;

  /** @param keys at least one. */
  constructor(keys: readonly [BusKey, ...BusKey[]]) {
    this.#first = keys[0];
    this.#secrets = new Map(keys.map(({ id, secret }) => [id, secret]));
  }

  seal(channel: string, { sender: { node, process, lane }, seq, ts, contents }: Parts): Buffer {
    const head = `${VERSION} ${this.#first.id} ${node} ${process} ${lane} ${seq} ${ts}`;
    const body = Buffer.from(contents);
    const signature = sign(this.#first.secret, channel, head, body).toString('base64url');
    return Buffer.concat([Buffer.from(`${head} ${signature}\n`, 'latin1'), body]);
  }

  open(channel: string, message: Buffer, now: number): Opened | Refusal {
    if (message.length > MESSAGE_BYTES_MAX) return 'tooLarge';
    const end = message.subarray(0, HEAD_BYTES_MAX).indexOf(10);
    if (end === -1) return 'malformed';
    const head = message.toString('latin1', 0, end);
    const found = HEAD.exec(head);
    if (!found) return 'malformed';
    const [, key = '', node = '', process = '', lane, seq, ts, signature = ''] = found;
    const secret = this.#secrets.get(key);
    if (secret === undefined) return 'unknownKey';
    const contents = message.subarray(end + 1);
    const signed = head.slice(0, -(signature.length + 1));
    // As texts: two of them can stand for the same bytes in base64.
    const expected = Buffer.from(sign(secret, channel, signed, contents).toString('base64url'));
    const given = Buffer.from(signature);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'forged';
    if (Math.abs(now - Number(ts)) > TOLERANCE_MS) return 'time';
    return { sender: { node, process, lane: Number(lane) }, seq: Number(seq), ts: Number(ts), contents };
  }
}

function sign(secret: string, channel: string, head: string, contents: Buffer): Buffer {
  return createHmac('sha256', secret).update(`${channel}\n${head}\n`).update(contents).digest();
}
