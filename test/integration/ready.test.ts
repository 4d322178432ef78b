import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { runSite } from '../support/run-site.js';
import { WsClient } from '../support/ws-client.js';

let daemon: Daemon;
let file: string;

beforeAll(async () => {
  daemon = await Daemon.start({ env: { SPUSH_WORKER_NUM: '2' } });
  file = path.join(daemon.home, 'Data/websocket.db');
});

afterAll(() => daemon.dispose());

async function ready(): Promise<number> {
  return (await daemon.get('/readyz')).status;
}

async function isRefused(): Promise<void> {
  let answer = await daemon.get('/readyz');
  const status = async (): Promise<number> => {
    answer = await daemon.get('/readyz');
    return answer.status;
  };
  await expect.poll(status, { timeout: 15_000 }).toBe(503);
  expect(answer.body.data.reasons).toMatchObject([{ check: 'store' }]);
  const refused = await daemon.post('/api/comment/message', { uid: 1, title: 'x' });
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
}

async function worksAgain(): Promise<void> {
  await expect.poll(ready, { timeout: 20_000 }).toBe(200);
  expect((await daemon.post('/api/comment/message', { uid: 1, title: 'x' })).status).toBe(200);
}

describe('/readyz and the API', { timeout: 60_000 }, () => {
  test('are 200 when all is well, with and without load', async () => {
    expect((await daemon.get('/healthz')).status).toBe(200);
    expect(await ready()).toBe(200);
  });

  test.skipIf(runSite())('are 503 while another program holds the store’s file, and 200 after', async () => {
    const other = new Database(file);
    other.exec('BEGIN EXCLUSIVE');
    await isRefused();
    other.exec('ROLLBACK');
    other.close();
    await worksAgain();
  });

  test.skipIf(runSite())(
    'are 503 while the store’s file is somewhere else, and 200 after; connections stay',
    async () => {
      const client = await WsClient.login(daemon.wsUrl, 1);
      const aside = `${file}.aside`;
      renameSync(file, aside);
      await isRefused();
      expect(existsSync(file)).toBe(false);
      expect((await client.ask('ping')).code).toBe(200);
      expect((await client.ask('unread')).code).toBe(503);
      renameSync(aside, file);
      await worksAgain();
      expect((await client.ask('unread')).code).toBe(200);
      await client.close();
    },
  );
});

test('a full disk is 503 with its reason, nothing is lost, and room makes it 200', {
  timeout: 60_000,
}, async () => {
  const home = mkdtempSync(path.join(tmpdir(), 'spush-full-'));
  if (!mounted(home)) {
    console.log('skipped: no right to mount a small file system here');
    rmSync(home, { recursive: true });
    return;
  }
  const full = await Daemon.start({ home, env: { PUSHENV: '0', SPUSH_WORKER_NUM: '1' } });
  try {
    const kept: string[] = [];
    const text = 'x'.repeat(7000);
    let status = 200;
    for (let n = 0; n < 5000 && status === 200; n += 1) {
      const messages = Array.from({ length: 50 }, (_, i) => ({ uid: 5, title: `${n}-${i}`, content: text }));
      const posted = await full.post('/api/comment/message', { messages });
      status = posted.status;
      if (status === 200) kept.push(...posted.body.data.ids);
    }
    expect(status).toBe(503);
    await expect.poll(async () => (await full.get('/readyz')).status, { timeout: 10_000 }).toBe(503);
    execFileSync('mount', ['-o', 'remount,size=200m', home]);
    await expect.poll(async () => (await full.get('/readyz')).status, { timeout: 20_000 }).toBe(200);
    expect((await full.post('/api/comment/message', { uid: 5, title: 'after' })).status).toBe(200);
    for (const id of [kept[0], kept[kept.length >> 1], kept.at(-1)]) {
      expect((await full.get(`/api/message/${id}`)).body.data.state).toBe('pending');
    }
  } finally {
    await full.stop();
    execFileSync('umount', [home]);
    rmSync(home, { recursive: true });
  }
});

function mounted(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
