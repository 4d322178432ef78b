/** What the main site answers when it is asked whose key it is. Parsed as hostile input: a login hangs on it. */
import { z } from 'zod';

/** `uid` 0: nobody's. Numbers only: "0" and "176906" are faults of the main site, not users. */
export const gzcpAnswerSchema = z.object({
  code: z.literal(200),
  data: z.object({ uid: z.int().min(0) }),
});

export type GzcpAnswer =
  | { readonly is: 'user'; readonly uid: number }
  | { readonly is: 'nobody' }
  /** It cannot be trusted; the reason holds no value out of it. */
  | { readonly is: 'faulty'; readonly reason: string };

export function parseGzcpAnswer(text: string): GzcpAnswer {
  let body: unknown;
  try {
    body = JSON.parse(text);
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
