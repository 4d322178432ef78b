/**
 * Readers whose cable is pulled while they are pushed to: they are found, and what they did not get comes at their next
 * login. Quick values of the two keys; with SPUSH_TEST_LOST_SECONDS=60 the real ones.
 */
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cable, ipProgram } from '../support/cable.js';
import { Daemon } from '../support/daemon.js';
import { WsClient } from '../support/ws-client.js';

const FAR_READER = path.join(import.meta.dirname, '../support/far-reader.mjs');
const PROBE_SECONDS = Number(process.env['SPUSH_TEST_LOST_SECONDS'] ?? 3);
const PUSH_EVERY_MS = PROBE_SECONDS * 50;

const ip = ipProgram();
let daemon: Daemon;

beforeAll(async () => {
  if (ip === null) return;
  daemon = await Daemon.start({
    env: {
      SPUSH_HOST: '0.0.0.0',
      SPUSH_WORKER_NUM: '2',
      SPUSH_PROBE_SECONDS: String(PROBE_SECONDS),
      SPUSH_PROBE_ANSWER_SECONDS: String(PROBE_SECONDS / 2),
      SPUSH_IDLE_CHECK_SECONDS: String(PROBE_SECONDS / 4),
    },
  });
});
afterAll(() => daemon?.dispose());

interface FarReader {
  readonly uid: number;
  readonly ack: boolean;
  readonly shown: Set<string>;
}

async function farReader(cable: Cable, uid: number, ack: boolean, atEnd: (() => void)[]): Promise<FarReader> {
  const shown = new Set<string>();
  const child = cable.start(FAR_READER, `ws://${cable.host}:${daemon.port}/`, String(uid), String(ack));
  atEnd.push(() => child.kill('SIGKILL'));
  if (!child.stdout) throw new Error('no output');
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the reader has ended')));
    if (!child.stdout) return;
    createInterface(child.stdout).on('line', (line) => {
      if (line === 'in') resolve();
      else shown.add(line);
    });
  });
  return { uid, ack, shown };
}

async function push(uid: number): Promise<string> {
  const { body } = await daemon.post('/api/comment/message', { uid, title: 'a comment' });
  return body.data.ids[0];
}

const isOnline = async (uid: number): Promise<boolean> =>
  (await daemon.get(`/api/user/${uid}`)).body.data.online === true;

test.skipIf(ip === null).each([
  { meanwhile: 'nothing', base: 100 },
  { meanwhile: 'a reload', base: 200 },
])(
  'are found, and lose nothing, whether they acknowledge or not; meanwhile comes $meanwhile',
  async ({ meanwhile, base }) => {
    const atEnd: (() => void)[] = [];
    const cable = new Cable(ip ?? '');
    const near = await Promise.all(
      [base + 11, base + 12].map((uid) => WsClient.login(daemon.wsUrl, uid, { ack: uid === base + 11 })),
    );
    try {
      const far = await Promise.all(
        [base + 1, base + 2].map((uid) => farReader(cable, uid, uid === base + 1, atEnd)),
      );
      const posted = new Map<number, string[]>([1, 2, 11, 12].map((n) => [base + n, []]));
      const pushAll = async (): Promise<void> => {
        for (const [uid, ids] of posted) ids.push(await push(uid));
      };
      for (let n = 0; n < 10; n += 1) await pushAll();
      await expect.poll(() => far.map(({ shown }) => shown.size)).toEqual([10, 10]);
      await sleep(500);

      cable.pull();
      const begun = performance.now();
      if (meanwhile === 'a reload') {
        await pushAll();
        const { exitCode, stderr } = await daemon.run('server', 'reload');
        expect(exitCode, stderr).toBe(0);
      }
      const foundAfterMs = new Map<number, number>();
      while (foundAfterMs.size < far.length && performance.now() - begun < PROBE_SECONDS * 3000 + 60_000) {
        await pushAll();
        await sleep(PUSH_EVERY_MS);
        for (const { uid } of far)
          if (!foundAfterMs.has(uid) && !(await isOnline(uid)))
            foundAfterMs.set(uid, performance.now() - begun);
      }
      console.log('found after ms', Object.fromEntries(foundAfterMs));
      expect(foundAfterMs.size).toBe(far.length);
      // 60 s and 30 s are 100 s.
      if (meanwhile === 'nothing')
        for (const ms of foundAfterMs.values()) expect(ms).toBeLessThan((PROBE_SECONDS * 5000) / 3 + 1000);

      for (const { uid, ack, shown } of far) {
        const missed = (posted.get(uid) ?? []).filter((id) => !shown.has(id));
        expect(missed.length).toBeGreaterThan(0);
        const back = await WsClient.login(daemon.wsUrl, uid, { ack });
        await back.untilItems(missed.length);
        await sleep(300);
        expect(back.items.map(({ id }) => id)).toEqual(missed);
        await back.close();
      }
      for (const [at, client] of near.entries()) {
        expect(client.closed).toBeNull();
        expect(client.items.map(({ id }) => id)).toEqual(posted.get(base + 11 + at));
      }
      // They have got it, and it was seen that they have.
      const again = await WsClient.login(daemon.wsUrl, base + 2, {});
      await sleep(500);
      expect(again.items).toEqual([]);
      await again.close();
    } finally {
      for (const end of atEnd) end();
      await Promise.all(near.map((client) => client.close()));
      cable.remove();
    }
  },
  200_000,
);
