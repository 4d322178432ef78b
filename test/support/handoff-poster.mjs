/**
 * A process of its own that posts messages at a steady rate, single calls and batches, and keeps which were answered 200. A
 * call that was not answered, or refused for now, is sent again with the same ids, as a careful caller does.
 * Each message carries its number in `title` and the moment of its first sending (ms of the shared clock) in `content`.
 */
import { createHash, createHmac, randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { answerCalls } from './child-calls.mjs';
import { sharedNow } from './handoff-socket.mjs';

const PATH = '/api/comment/message';
const TYPE = 'application/json';
const TICK_MS = 20;
/** Of the messages of one tick, those that go in calls of their own; the others are one batch. */
const SINGLES = 4;
/** Calls under way; above it the poster waits, and says in the end how far it fell behind. */
const CALLS_MAX = 64;
const RETRY_MS = 30;
const GIVE_UP_MS = 30_000;
const CALL_MS = 10_000;

const agent = new Agent({ keepAlive: true, maxSockets: CALLS_MAX });
const accepted = [];
const failures = [];
let retries = 0;
let next = 0;
let calls = 0;
let timer = null;
let behind = 0;

/** @param key {id, secret}; null: calls are not signed. */
function signature(key, body) {
  if (!key) return {};
  const timestamp = String(Math.floor(Date.now() / 1000));
  const nonce = randomUUID();
  const digest = createHash('sha256').update(body).digest('hex');
  const text = ['SPUSH 2', key.id, 'POST', PATH, timestamp, nonce, TYPE, digest].join('\n');
  return {
    'x-spush-version': '2',
    'x-spush-digest': digest,
    'x-spush-key': key.id,
    'x-spush-timestamp': timestamp,
    'x-spush-nonce': nonce,
    'x-spush-signature': createHmac('sha256', key.secret).update(text).digest('hex'),
  };
}

function post({ key, ...target }, body) {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const call = request(
      {
        ...target,
        method: 'POST',
        path: PATH,
        agent,
        timeout: CALL_MS,
        headers: {
          'content-type': TYPE,
          'content-length': Buffer.byteLength(text),
          ...signature(key, text),
        },
      },
      (response) => {
        let answer = '';
        response.setEncoding('utf8');
        response.on('data', (part) => {
          answer += part;
        });
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode, text: answer }));
      },
    );
    call.on('timeout', () => call.destroy(new Error('no answer')));
    call.on('error', reject);
    call.end(text);
  });
}

async function send(target, messages) {
  calls += 1;
  const body = messages.length === 1 ? messages[0] : { messages };
  const end = performance.now() + GIVE_UP_MS;
  let why = '';
  try {
    while (performance.now() < end) {
      try {
        const { status, text } = await post(target, body);
        if (status === 200) {
          const { ids } = JSON.parse(text).data;
          if (ids.length !== messages.length) {
            failures.push(
              `${messages[0].title}: ${messages.length} messages were answered with ${ids.length} ids`,
            );
            return;
          }
          for (const [k, { uid, title }] of messages.entries()) accepted.push([ids[k], uid, title]);
          return;
        }
        why = `answered ${status} ${text.slice(0, 200)}`;
        if (status < 500 && status !== 429) break;
      } catch (error) {
        why = error.message;
      }
      retries += 1;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    failures.push(`${messages.map(({ title }) => title).join(' ')}: ${why}`);
  } finally {
    calls -= 1;
  }
}

answerCalls({
  start({ target, uids, rate, name }) {
    let lastAt = performance.now();
    let owed = 0;
    timer = setInterval(() => {
      const now = performance.now();
      owed += (rate * (now - lastAt)) / 1000;
      lastAt = now;
      if (calls >= CALLS_MAX) {
        behind += 1;
        return;
      }
      const messages = [];
      for (; owed >= 1 && messages.length < 500; owed -= 1) {
        next += 1;
        // Every user in turn, in strides, so that a call holds users of all Workers.
        const uid = uids[(next * 7919) % uids.length];
        messages.push({ uid, id: `${name}-${next}`, title: `${name}-${next}`, content: String(sharedNow()) });
      }
      for (const message of messages.splice(0, SINGLES)) void send(target, [message]);
      if (messages.length > 0) void send(target, messages);
    }, TICK_MS);
  },
  async stop() {
    clearInterval(timer);
    while (calls > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    agent.destroy();
    return { accepted, retries, failures, sent: next, behind };
  },
});
