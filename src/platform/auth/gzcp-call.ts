/**
 * One question to the main site over HTTP: one request, and one more when the first got no answer and time remains.
 * Never throws for what the world can do; no key, token or query ever stands in a reason.
 */
import { parseGzcpAnswer } from '../../shared/protocol/gzcp.js';

/** A good answer has 40 bytes; more than this is not one. */
export const ANSWER_BYTES_MAX = 65_536;
const TRIES_MAX = 2;

export type CallResult =
  | { readonly is: 'user'; readonly uid: number }
  | { readonly is: 'nobody' }
  | { readonly is: 'faulty'; readonly reason: string }
  | { readonly is: 'failed'; readonly reason: string };

type TryResult = CallResult & { readonly mayRetry?: boolean };

export interface GzcpCallOptions {
  /** Of all tries together. */
  readonly deadlineMs: number;
  readonly onRequest: () => void;
}

/** @param url with timestamp, loginkey and token. */
export async function callGzcp(
  url: URL,
  headers: Readonly<Record<string, string>>,
  { deadlineMs, onRequest }: GzcpCallOptions,
): Promise<CallResult> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), deadlineMs);
  try {
    for (let tries = 1; ; tries += 1) {
      onRequest();
      const { mayRetry, ...result } = await tryOnce(url, headers, controller.signal);
      if (controller.signal.aborted && result.is === 'failed') {
        return { is: 'failed', reason: `no answer within ${deadlineMs} ms` };
      }
      if (!mayRetry || tries === TRIES_MAX) return result;
    }
  } finally {
    clearTimeout(timer);
  }
}

async function tryOnce(
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<TryResult> {
  try {
    const response = await fetch(url, { headers, signal, redirect: 'manual' });
    if (response.status === 200) return await readAnswer(response);
    await response.body?.cancel();
    const reason = `HTTP ${response.status}`;
    if (response.status >= 500) return { is: 'failed', reason, mayRetry: true };
    return response.status === 429 ? { is: 'failed', reason } : { is: 'faulty', reason };
  } catch (error) {
    return { is: 'failed', reason: networkReason(error), mayRetry: true };
  }
}

async function readAnswer(response: Response): Promise<TryResult> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    // Leaving the loop cancels the rest.
    if (bytes > ANSWER_BYTES_MAX) return { is: 'faulty', reason: `more than ${ANSWER_BYTES_MAX} bytes` };
    chunks.push(chunk);
  }
  return parseGzcpAnswer(new TextDecoder().decode(Buffer.concat(chunks)));
}

/** The system's code (`ECONNREFUSED`): texts of fetch may hold the address with its query. */
function networkReason(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  if (typeof cause === 'object' && cause !== null && 'code' in cause && typeof cause.code === 'string') {
    return `network: ${cause.code}`;
  }
  return `network: ${cause instanceof Error ? cause.name : 'unknown'}`;
}
