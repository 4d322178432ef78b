/** What a client sends: one JSON object per text frame, checked against these. */
import * as z from 'zod';
import { KINDS } from '../domain/kind.js';
import type { ReadMark } from '../domain/message.js';
import { isMessageId, type MessageId } from '../domain/message-id.js';
import { textFault } from './api-values.js';

const messageId = z.custom<MessageId>(isMessageId, 'expected a message id: a decimal string of 19 digits');
const ids = z.array(messageId).min(1).max(500);
const nothing = z.looseObject({});

/** Length in characters (code points). What is echoed, or told to others, has a form in UTF-8. */
function text(charsMin: 0 | 1, charsMax: number) {
  const string = `expected a string of ${charsMin}-${charsMax} characters`;
  return z
    .string(string)
    .min(charsMin, string)
    .superRefine((value, context) => {
      const fault = textFault(value, charsMax);
      if (fault !== null) context.addIssue({ code: 'custom', message: fault });
    });
}

const key = text(1, 512);

const login = z
  .object({
    ukey: key.optional(),
    token: key.optional(),
    ack: z.boolean().optional(),
    device: text(0, 128).optional(),
  })
  .refine((body) => (body.ukey === undefined) !== (body.token === undefined), {
    message: 'expected exactly one of ukey (web) and token (app)',
    path: ['ukey'],
  });

const list = z.object({
  kind: z.enum(KINDS).optional(),
  unread: z.boolean().optional(),
  cursor: messageId.nullish(),
  limit: z.int().min(1).max(100).default(20),
});

const read = z
  .object({ ids: ids.optional(), kind: z.enum(KINDS).optional(), all: z.literal(true).optional() })
  .transform(({ ids, kind, all }, context): ReadMark => {
    const given = [ids && { ids }, kind && { kind }, all && { all }].filter((mark) => mark !== undefined);
    const [mark] = given;
    if (mark !== undefined && given.length === 1) return mark;
    context.addIssue({ code: 'custom', message: 'expected exactly one of ids, kind and all: true' });
    return z.NEVER;
  });

/** A command's name, and the schema of its body. Absent, null and "" bodies are read as {}. */
export const WS_COMMANDS = {
  login,
  logout: nothing,
  ping: nothing,
  ack: z.object({ ids }),
  list,
  read,
  unread: nothing,
} as const;

export type WsCommandName = keyof typeof WS_COMMANDS;
export type WsCommandBody<C extends WsCommandName> = z.output<(typeof WS_COMMANDS)[C]>;

export function isWsCommandName(value: string): value is WsCommandName {
  return Object.hasOwn(WS_COMMANDS, value);
}

/** What of a request stands in its reply. */
export const ECHO_CHARS_MAX = 64;

/** The envelope of every request. */
export const wsRequestSchema = z.object({
  cmd: text(1, ECHO_CHARS_MAX),
  id: text(1, ECHO_CHARS_MAX),
  ts: z.int().positive(),
  body: z
    .union([z.record(z.string(), z.unknown()), z.null(), z.literal('')])
    .optional()
    .transform((body): Record<string, unknown> => (body ? body : {})),
});

export type WsRequest = z.output<typeof wsRequestSchema>;

export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** zod's issues as the protocol's `errors: [{path, message}]`. */
export function fieldErrors(error: z.ZodError, prefix = ''): FieldError[] {
  return error.issues.slice(0, 20).map((issue) => ({
    path: [prefix, ...issue.path.map(String)].filter(Boolean).join('.'),
    message: issue.message,
  }));
}
