/** A part of an answer that is not waited for: when it does not come, the rest is told, and this as missing. */
import { type ErrorCode, isSpushError, SpushError } from '../../shared/base/errors.js';

export type Part<T> =
  | { readonly value: T; readonly fault: null }
  | { readonly value: null; readonly fault: SpushError };

/**
 * Rejects with what is no SpushError: our own bug.
 *
 * @param who for the text when there is no answer: `the store`
 * @param code of the fault that there is then
 */
export async function inTime<T>(
  work: Promise<T>,
  { who, code, deadlineMs }: { who: string; code: ErrorCode; deadlineMs: number },
): Promise<Part<T>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new SpushError(code, `${who} did not answer within ${deadlineMs} ms`)),
      deadlineMs,
    );
  });
  try {
    return { value: await Promise.race([work, late]), fault: null };
  } catch (fault) {
    if (!isSpushError(fault)) throw fault;
    return { value: null, fault };
  } finally {
    clearTimeout(timer);
  }
}
