/** What the main site answers when it is asked whose key it is. Parsed as hostile input: a login hangs on it. */
import * as z from 'zod';
import { wholeNumber } from './whole-number.js';

/** `uid` 0: nobody's. Decimal text is a number here too: PHP sends what it read from a database as text. */
export const gzcpAnswerSchema = z.object({
  code: z.union([z.literal(200), z.literal('200')], { error: () => 'expected 200' }),
  data: z.object({
    uid: wholeNumber(0, Number.MAX_SAFE_INTEGER, {
      error: () => 'expected a user id: a whole number, 0 for nobody',
    }),
  }),
});

export type GzcpAnswer =
  | { readonly is: 'user'; readonly uid: number }
  | { readonly is: 'nobody' }
  /** It cannot be trusted; the reason holds no value out of it. */
  | { readonly is: 'faulty'; readonly reason: string };

/** Each PHP file that was saved with one puts one before the answer. */
const BYTE_ORDER_MARKS = /^\ufeff+/;

export function parseGzcpAnswer(text: string): GzcpAnswer {
  let body: unknown;
  try {
    body = JSON.parse(text.replace(BYTE_ORDER_MARKS, ''));
  } catch {
    return { is: 'faulty', reason: 'the body is not JSON' };
  }
  const answer = gzcpAnswerSchema.safeParse(body);
  if (answer.success) {
    const { uid } = answer.data.data;
    return uid === 0 ? { is: 'nobody' } : { is: 'user', uid };
  }
  const [issue] = answer.error.issues;
  const where = issue?.path.length ? issue.path.join('.') : 'the body';
  return { is: 'faulty', reason: `${where}: ${issue?.message ?? 'unexpected'}` };
}
