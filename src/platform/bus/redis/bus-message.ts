/**
 * What an envelope holds: one of these a line. Which of them belongs on which channel is part of the check: a user's
 * channel carries that user's events and nothing else.
 */
import * as z from 'zod';
import { type BusEvent, busEventUid, parseBusEvent } from '../../../shared/protocol/bus-events.js';
import type { QuestionName } from '../../../shared/protocol/questions.js';
import type { Channel } from './channels.js';

const id = z.string().min(1).max(64);

const wordSchema = z.discriminatedUnion('t', [
  /** I am here; whether I hold sockets, so that I can be asked; and for how long (ms) I could not hear, when that is over. */
  z.object({ t: z.literal('here'), holds: z.boolean(), deafMs: z.number().nonnegative().optional() }),
  z.object({ t: z.literal('gone') }),
  /** I had to drop news, the first of it at this moment (Unix ms): everybody has a gap. */
  z.object({ t: z.literal('lost'), since: z.number().int().nonnegative().optional() }),
  z.object({
    t: z.literal('ask'),
    id,
    question: z.enum(['online', 'spilled', 'kick', 'uids', 'metrics', 'figures'] satisfies [
      QuestionName,
      ...QuestionName[],
    ]),
    args: z.unknown(),
  }),
  z.object({ t: z.literal('answer'), id, result: z.unknown() }),
  z.object({ t: z.literal('probe'), id }),
]);

export type BusWord = z.infer<typeof wordSchema>;
export type BusMessage = BusWord | BusEvent;

const EVENT_TYPES: ReadonlySet<unknown> = new Set<BusEvent['t']>(['push', 'notice', 'read']);
const WORDS_OF: Readonly<Record<Channel['of'], readonly BusMessage['t'][]>> = {
  user: ['push', 'read'],
  all: ['notice', 'here', 'gone', 'lost', 'ask'],
  node: ['answer', 'ask'],
  probe: ['probe'],
};

/** The message, or what is wrong with it: places only, never the contents. */
export function parseBusMessage(line: string, channel: Channel): BusMessage | string {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    // The parser's own text quotes the line.
    return 'not JSON';
  }
  const isEvent = typeof json === 'object' && json !== null && 't' in json && EVENT_TYPES.has(json.t);
  const message = isEvent ? parseBusEvent(json, line) : parseWord(json);
  if (typeof message === 'string') return message;
  if (!WORDS_OF[channel.of].includes(message.t)) return `${message.t} does not belong here`;
  if (channel.of === 'user' && isBusEvent(message) && busEventUid(message) !== channel.uid) {
    return 'of another user';
  }
  return message;
}

function parseWord(json: unknown): BusWord | string {
  const parsed = wordSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  return issue ? `${issue.path.join('.') || 'message'}: ${issue.code}` : 'does not fit';
}

export function isBusEvent(message: BusMessage): message is BusEvent {
  return EVENT_TYPES.has(message.t);
}
