/**
 * What the main site sends over HTTP: messages, one or a batch, and the order to close a user's connections.
 * Declared once; checks, types and the OpenAPI document come from here.
 *
 * Work on a bad call is bounded: lengths are looked at before contents, and no more than ERRORS_MAX faults are told.
 */
import * as z from 'zod';
import { SpushError } from '../base/errors.js';
import { RawJson } from '../base/raw-json.js';
import type { Kind } from '../domain/kind.js';
import type { DataText } from '../domain/message.js';
import { shown, textFault } from './api-values.js';
import { dataText } from './data-text.js';
import { wholeNumber } from './whole-number.js';

export const BATCH_MAX = 1000;
export const UIDS_MAX = 1000;
export const TITLE_CHARS_MAX = 200;
export const CONTENT_CHARS_MAX = 8000;
export const URL_CHARS_MAX = 2048;
export const KEY_CHARS_MAX = 128;
export const REASON_CHARS_MAX = 200;
export const EXPIRE_SECONDS_MAX = 31_536_000;
/** Faults of one call that are told; the caller repairs these and sees the next. */
export const ERRORS_MAX = 20;

/** Where each kind is posted to. */
export const PUSH_PATHS = {
  comment: '/api/comment/message',
  userNotice: '/api/notice/userMessage',
  systemNotice: '/api/notice/systemMessage',
} as const satisfies Record<Kind, string>;

const expected = (what: string) => ({
  error: (issue: { readonly input?: unknown }) => `expected ${what}, got ${shown(issue.input)}`,
});

const uid = wholeNumber(1, Number.MAX_SAFE_INTEGER, expected('a user id: a positive integer')).meta({
  description: 'User id of the main site; decimal text is as good as a number.',
});

const uids = z
  .array(uid, expected('a list of user ids'))
  .min(1, expected('at least one user id'))
  .max(UIDS_MAX)
  .meta({ description: 'Several users at once; a user named twice gets the message once.' });

/** Length in characters as people count them, so that an emoji is one and not two. */
function text(charsMax: number, description: string) {
  return z
    .string(expected('a string'))
    .superRefine((value, context) => {
      const fault = textFault(value, charsMax);
      if (fault !== null) context.addIssue({ code: 'custom', message: fault });
    })
    .meta({ maxLength: charsMax, description });
}

function key(description: string) {
  const string = expected(`a string of 1-${KEY_CHARS_MAX} characters`);
  return text(KEY_CHARS_MAX, description)
    .min(1, string)
    .refine((value) => !/\p{Cc}/u.test(value), 'expected no control characters')
    .meta({ maxLength: KEY_CHARS_MAX, description });
}

/** Comes as a RawJson: `data` is carried as its text, and is never a value here. */
const data = z
  .unknown()
  .transform((value, context): DataText => {
    const found =
      value instanceof RawJson
        ? dataText(value.text)
        : { path: [], message: `expected an object, got ${shown(value)}` };
    if (typeof found === 'string') return found;
    context.addIssue({ code: 'custom', path: [...found.path], message: found.message });
    return z.NEVER;
  })
  .meta({
    type: 'object',
    description: 'Anything the client needs; at most 8 KiB as JSON, 32 levels deep.',
  });

/** Null is as good as absent: PHP writes it for what has no value. */
const content = {
  title: text(TITLE_CHARS_MAX, 'Title; title or content must be there.').nullish(),
  content: text(CONTENT_CHARS_MAX, 'Text; title or content must be there.').nullish(),
  url: text(URL_CHARS_MAX, 'Where a tap leads.').nullish(),
  data: data.nullish(),
  id: key(
    'The key of the caller: the same (kind, uid, id) is stored once, so a call can be repeated.',
  ).nullish(),
  deliver: z.enum(['now', 'cron'], expected('"now" or "cron"')).nullish().meta({
    description: 'now: at once; cron: with the job of the kind. Default: as configured for the kind.',
  }),
  expire: wholeNumber(1, EXPIRE_SECONDS_MAX, expected(`seconds: an integer of 1-${EXPIRE_SECONDS_MAX}`))
    .nullish()
    .meta({ description: 'Seconds until it expires. Default: as configured, 604800.' }),
  collapse: key('A newer pending message of the same (kind, uid, collapse) replaces the older.').nullish(),
};

const hasText = (message: { title?: string | null | undefined; content?: string | null | undefined }) =>
  Boolean(message.title) || Boolean(message.content);
const textNeeded = { path: ['title'], message: 'expected title or content, got neither' };

export const personalMessageSchema = z
  .object({ uid: uid.nullish(), uids: uids.nullish(), ...content }, expected('an object'))
  .refine(hasText, textNeeded)
  .refine((message) => (message.uid ?? message.uids ?? null) !== null, {
    path: ['uid'],
    message: 'expected uid or uids, got neither',
  })
  .refine((message) => (message.uid ?? null) === null || (message.uids ?? null) === null, {
    path: ['uids'],
    message: 'expected uid or uids, got both',
  });

const forEverybody = {
  error: () =>
    `a system message goes to everybody: leave uid and uids out, or post to ${PUSH_PATHS.userNotice} to reach single users`,
};

export const systemMessageSchema = z
  .object(
    { uid: z.null(forEverybody).optional(), uids: z.null(forEverybody).optional(), ...content },
    expected('an object'),
  )
  .refine(hasText, textNeeded);

/** A message as it was sent, checked. */
export type ApiMessage = z.output<typeof personalMessageSchema> | z.output<typeof systemMessageSchema>;

export const kickSchema = z.object(
  { uid, reason: text(REASON_CHARS_MAX, 'Told to the client in `bye`.').nullish() },
  expected('an object'),
);

export interface CallError {
  /** Which message of the batch; 0 when there is only one. */
  readonly index: number;
  readonly path: string;
  readonly message: string;
}

/** One message, or `{"messages": […]}`; all of them or a fault that names what is wrong with which. */
export function parsePush(kind: Kind, body: unknown): ApiMessage[] {
  const messages = messagesOf(body);
  const schema = kind === 'systemNotice' ? systemMessageSchema : personalMessageSchema;
  const errors: CallError[] = [];
  const parsed: ApiMessage[] = [];
  for (const [index, message] of messages.entries()) {
    const found = checkMessage(schema, message);
    if ('message' in found) parsed.push(found.message);
    else errors.push(...found.errors.map((error) => ({ index, ...error })));
    if (errors.length >= ERRORS_MAX) break;
  }
  if (errors.length > 0) throw badCall(errors.slice(0, ERRORS_MAX), { inBatch: messages.length > 1 });
  return parsed;
}

export function parseKick(body: unknown): { uid: number; reason: string } {
  const result = kickSchema.safeParse(body);
  if (!result.success) {
    throw badCall(fieldFaults(result.error).map((error) => ({ index: 0, ...error })));
  }
  return { uid: result.data.uid, reason: result.data.reason ?? '' };
}

type Fault = Omit<CallError, 'index'>;

function messagesOf(body: unknown): readonly unknown[] {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw badCall([{ index: 0, path: '', message: `expected an object, got ${shown(body)}` }]);
  }
  if (!Object.hasOwn(body, 'messages')) return [body];
  const { messages } = body as { messages: unknown };
  if (Array.isArray(messages) && messages.length >= 1 && messages.length <= BATCH_MAX) return messages;
  const size = Array.isArray(messages) ? `${messages.length} messages` : shown(messages);
  throw badCall([
    { index: 0, path: 'messages', message: `expected a list of 1-${BATCH_MAX} messages, got ${size}` },
  ]);
}

function checkMessage(
  schema: typeof personalMessageSchema | typeof systemMessageSchema,
  message: unknown,
): { message: ApiMessage } | { errors: Fault[] } {
  const users = typeof message === 'object' && message !== null && 'uids' in message ? message.uids : null;
  if (Array.isArray(users) && users.length > UIDS_MAX) {
    return {
      errors: [{ path: 'uids', message: `expected at most ${UIDS_MAX} user ids, got ${users.length}` }],
    };
  }
  const result = schema.safeParse(message);
  return result.success ? { message: result.data } : { errors: fieldFaults(result.error) };
}

function fieldFaults(error: z.ZodError): Fault[] {
  return error.issues.slice(0, ERRORS_MAX).map((issue) => ({
    path: issue.path.map(String).join('.'),
    message: issue.message,
  }));
}

/** BAD_REQUEST with these faults. `inBatch`: the text says which message it was. */
export function badCall(
  errors: readonly CallError[],
  { inBatch = false, cause }: { readonly inBatch?: boolean; readonly cause?: unknown } = {},
): SpushError {
  const [first] = errors;
  const where = first?.path ? `${first.path}: ` : '';
  const which = inBatch ? `messages[${first?.index}] ` : '';
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more, see data.errors)` : '';
  return new SpushError('BAD_REQUEST', `${which}${where}${first?.message}${more}; nothing was changed`, {
    cause,
    detail: { errors },
  });
}
