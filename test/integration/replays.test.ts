/** A call that was made once is not made again by whoever has seen it: over restarts, kills, and under another key id. */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nonceFile } from '../../src/master/relay/nonce-file.js';
import { signCall, signCallV1 } from '../../src/platform/auth/signature.js';
import { Daemon } from '../support/daemon.js';

const PATH = '/api/comment/message';
const SECRET = 'a secret of the test';
const JSON_TYPE = { 'content-type': 'application/json' };

let daemon: Daemon;

beforeAll(async () => {
  daemon = await Daemon.start({
    env: {
      SPUSH_WORKER_NUM: '2',
      SPUSH_TASK_WORKER_NUM: '1',
      SPUSH_API_KEYS: JSON.stringify({ main: SECRET, twin: SECRET }),
    },
  });
});
afterAll(() => daemon?.dispose());

interface Signed {
  readonly body: string;
  readonly headers: Record<string, string>;
}

function signedCall(sign = signCall, id = 'main', nonce: string = randomUUID()): Signed {
  const body = JSON.stringify({ uid: 1, title: `${sign.name} ${nonce}` });
  const timestamp = Math.floor(Date.now() / 1000);
  const call = { method: 'POST', path: PATH, contentType: 'application/json', body, timestamp, nonce };
  return { body, headers: { ...sign({ id, secret: SECRET }, call), ...JSON_TYPE } };
}

async function statusOf({ body, headers }: Signed): Promise<number> {
  return (await daemon.post(PATH, body, headers)).status;
}

const calls = (): Signed[] => [signCall, signCallV1].map((sign) => signedCall(sign));

test('under another id with the same secret it is a replay', async () => {
  for (const sign of [signCall, signCallV1]) {
    const nonce = randomUUID();
    expect(await statusOf(signedCall(sign, 'main', nonce))).toBe(200);
    expect(await statusOf(signedCall(sign, 'twin', nonce))).toBe(401);
  }
  const seen = signedCall(signCallV1);
  expect(await statusOf(seen)).toBe(200);
  expect(await statusOf({ ...seen, headers: { ...seen.headers, 'X-Spush-Key': 'twin' } })).toBe(401);
});

test('a restart does not make it good again', async () => {
  const made = calls();
  for (const call of made) expect(await statusOf(call)).toBe(200);
  expect(await daemon.stop()).toBe(0);
  await daemon.start();
  for (const call of made) expect(await statusOf(call)).toBe(401);
  for (const call of calls()) expect(await statusOf(call)).toBe(200);
});

test('nor does the death of all processes a moment after the answer', async () => {
  const made = calls();
  for (const call of made) expect(await statusOf(call)).toBe(200);
  await daemon.killAll();
  await daemon.start();
  for (const call of made) expect(await statusOf(call)).toBe(401);
});

test('without the file calls are made all the same', async () => {
  rmSync(nonceFile({ data: `${daemon.home}/Data` }, 'websocket'));
  for (const call of calls()) expect(await statusOf(call)).toBe(200);
});
