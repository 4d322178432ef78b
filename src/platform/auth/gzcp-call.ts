/**
 * One question to the main site over HTTP: one request, and one more when the first got no answer and time remains.
 * Never throws for what the world can do; no key, token or query ever stands in a reason.
 *
 * Not by `fetch`: that of Node breaks the connection when `100 Continue` comes before the answer, which some proxies send
 * whether asked or not.
 */
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { parseGzcpAnswer } from '../../shared/protocol/gzcp.js';
import { answerText } from './gzcp-answer-text.js';
import { networkReason } from './network-reason.js';

/** A good answer has 40 bytes; more than this, compressed or not, is not one. */
export const ANSWER_BYTES_MAX = 65_536;
const TRIES_MAX = 2;
/** Shorter than web servers keep an idle connection (Apache: 5 s), so that it is mostly this side that closes it. */
const IDLE_MS = 4_000;

export type CallResult =
  | { readonly is: 'user'; readonly uid: number }
  | { readonly is: 'nobody' }
  | { readonly is: 'faulty'; readonly reason: string }
  | { readonly is: 'failed'; readonly reason: string };

interface TryResult {
  readonly result: CallResult;
  readonly mayRetry?: boolean;
}

export interface GzcpCallOptions {
  /** Keeps connections between calls; of the address's protocol. */
  readonly agent: http.Agent;
  /** Of all tries together. */
  readonly deadlineMs: number;
  readonly onRequest: () => void;
}

/** Its idle connections keep no process alive, so nobody has to close it. */
export function createGzcpAgent(address: URL): http.Agent {
  const options = { keepAlive: true, timeout: IDLE_MS };
  return address.protocol === 'https:' ? new https.Agent(options) : new http.Agent(options);
}

/** @param url with timestamp, loginkey and token. */
export async function callGzcp(
  url: URL,
  headers: Readonly<Record<string, string>>,
  { agent, deadlineMs, onRequest }: GzcpCallOptions,
): Promise<CallResult> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), deadlineMs);
  try {
    for (let tries = 1; ; tries += 1) {
      onRequest();
      const { signal } = controller;
      // A kept connection may have been closed by the other side at this moment, and so may all others that are kept: the
      // second try goes over a new one.
      const options = { headers, signal, agent: tries === 1 ? agent : false };
      const { result, mayRetry } = await tryOnce(url, options);
      if (signal.aborted && result.is === 'failed') {
        return { is: 'failed', reason: `no answer within ${deadlineMs} ms` };
      }
      if (!mayRetry || tries === TRIES_MAX) return result;
    }
  } finally {
    clearTimeout(timer);
  }
}

async function tryOnce(url: URL, options: http.RequestOptions): Promise<TryResult> {
  try {
    return await ask(url, options);
  } catch (error) {
    return { result: { is: 'failed', reason: networkReason(error) }, mayRetry: true };
  }
}

async function ask(url: URL, options: http.RequestOptions): Promise<TryResult> {
  const request = (url.protocol === 'https:' ? https : http).get(url, options);
  let response: IncomingMessage | null = null;
  try {
    response = await responseOf(request);
    return await readResponse(response);
  } finally {
    // An answer that was not read to its end must not hold its connection.
    if (!response?.complete) request.destroy();
  }
}

/** `100 Continue` and its kind are events of their own, and do not count as the answer. */
function responseOf(request: http.ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    // Stays: an error while the answer is read ends the reading too, and without a listener here it would end the process.
    request.on('error', reject);
    // Comes without an error when the other side answers 101.
    request.on('close', () => reject(Object.assign(new Error('no answer'), { code: 'NO_ANSWER' })));
  });
}

async function readResponse(response: IncomingMessage): Promise<TryResult> {
  const { statusCode: status = 0 } = response;
  if (status === 200) {
    const bytes = await readBytes(response);
    return { result: bytes === null ? tooLong : readAnswer(bytes, response) };
  }
  const reason = `HTTP ${status}`;
  if (status >= 500) return { result: { is: 'failed', reason }, mayRetry: true };
  return { result: { is: status === 429 ? 'failed' : 'faulty', reason } };
}

const tooLong: CallResult = { is: 'faulty', reason: `more than ${ANSWER_BYTES_MAX} bytes` };

/** Null when there are more than an answer may have; the rest is not read. */
async function readBytes(response: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function readAnswer(bytes: Buffer, { headers }: IncomingMessage): CallResult {
  const answer = answerText(bytes, headers, ANSWER_BYTES_MAX);
  return 'text' in answer ? parseGzcpAnswer(answer.text) : { is: 'faulty', reason: answer.fault };
}
