import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { WsClient } from '../support/ws-client.js';

/** Longer than a close frame has room for. */
const REASON = '账号已被管理员关闭'.repeat(10);

let daemon: Daemon;
const clients: WsClient[] = [];

beforeAll(async () => {
  daemon = await Daemon.start({ env: { SPUSH_WORKER_NUM: '2' } });
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await daemon.dispose();
});

async function reader(uid: number, body?: Record<string, unknown>): Promise<WsClient> {
  const client = await WsClient.login(daemon.wsUrl, uid, body);
  clients.push(client);
  return client;
}

async function state(id: string): Promise<string> {
  return (await daemon.get(`/api/message/${id}`)).body.data.state;
}

describe('a push', () => {
  test('reaches three connections on different Workers; one ack settles it; read is told to the others', async () => {
    const uid = 176_906;
    const three = await Promise.all([reader(uid), reader(uid), reader(uid)]);
    const where = await daemon.get(`/api/user/${uid}`);
    expect(where.body.data.online).toBe(true);
    const workers = new Set(where.body.data.connections.map((one: { worker: string }) => one.worker));
    expect(workers.size).toBe(2);

    const posted = await daemon.post('/api/comment/message', { uid, title: 'New comment', content: 'hello' });
    expect(posted.status).toBe(200);
    expect(posted.body).toMatchObject({ code: 200, msg: 'success', data: { accepted: 1, duplicates: 0 } });
    const [id] = posted.body.data.ids;
    for (const client of three) {
      const [item] = await client.untilItems(1);
      expect(item).toMatchObject({ id, kind: 'comment', uid, title: 'New comment', content: 'hello' });
    }
    const [first, second, third] = three;
    expect((await first.ask('ack', { ids: [id] })).body).toEqual({ acked: 1 });
    expect(await state(id)).toBe('acked');
    expect((await second.ask('ack', { ids: [id] })).body).toEqual({ acked: 0 });

    expect((await first.ask('read', { ids: [id] })).body).toEqual({ read: 1 });
    for (const client of [second, third]) expect((await client.event('read')).body).toEqual({ ids: [id] });
    expect(first.frames.some(({ cmd, id: ref }) => cmd === 'read' && ref === '')).toBe(false);
    expect(await state(id)).toBe('read');
    expect(three.map(({ pushes }) => pushes.length)).toEqual([1, 1, 1]);
  });

  test('waits for an offline user: 500 arrive once, in order of id, in frames of at most 50', async () => {
    const uid = 500;
    const ids: string[] = [];
    for (let n = 0; n < 500; n += 100) {
      const messages = Array.from({ length: 100 }, (_, i) => ({ uid, title: `m${n + i}` }));
      const posted = await daemon.post('/api/notice/userMessage', { messages });
      ids.push(...posted.body.data.ids);
    }
    const client = await reader(uid);
    const items = await client.untilItems(500);
    expect(items.map(({ id }) => id)).toEqual(ids);
    expect(items.map(({ title }) => title)).toEqual(Array.from({ length: 500 }, (_, n) => `m${n}`));
    expect(Math.max(...client.pushes.map((frame) => frame.length))).toBeLessThanOrEqual(50);
    expect((await client.ask('ack', { ids })).body).toEqual({ acked: 500 });

    await client.close();
    const again = await reader(uid);
    await again.ask('ping');
    expect(again.items).toEqual([]);
  });

  test('to a client that never acknowledges counts as delivered when it is written', async () => {
    const uid = 501;
    const client = await reader(uid, {});
    const posted = await daemon.post('/api/comment/message', { uid, title: 'one' });
    await client.untilItems(1);
    const [id] = posted.body.data.ids;
    await expect.poll(() => state(id)).toBe('sent');
    await client.close();
    const again = await reader(uid, {});
    await again.ask('ping');
    expect(again.items).toEqual([]);
  });

  test('is not lost when a client that acknowledges goes away before it has', async () => {
    const uid = 502;
    const client = await reader(uid);
    await daemon.post('/api/comment/message', { uid, title: 'one' });
    const [item] = await client.untilItems(1);
    client.socket.terminate();
    const again = await reader(uid);
    expect((await again.untilItems(1))[0]?.id).toBe(item?.id);
  });

  test('is stored once though its caller repeats it 100 times in parallel', async () => {
    const uid = 503;
    const message = { uid, title: 'once', id: 'order-1' };
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => daemon.post('/api/comment/message', message)),
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(new Set(answers.map(({ body }) => body.data.ids[0])).size).toBe(1);
    expect(answers.reduce((sum, { body }) => sum + body.data.accepted, 0)).toBe(1);
    expect(answers.reduce((sum, { body }) => sum + body.data.duplicates, 0)).toBe(99);
    const client = await reader(uid);
    expect((await client.ask('list')).body.items).toHaveLength(1);
    expect(await client.untilItems(1)).toHaveLength(1);
  });

  test('with the same collapse key replaces what is still pending', async () => {
    const uid = 504;
    for (const title of ['1 comment', '2 comments', '3 comments']) {
      await daemon.post('/api/comment/message', { uid, title, collapse: 'article-9' });
    }
    const client = await reader(uid);
    expect((await client.untilItems(1)).map(({ title }) => title)).toEqual(['3 comments']);
    expect((await client.ask('list')).body.items).toHaveLength(1);
  });

  test('of form fields, as PHP sends them, arrives the same', async () => {
    const uid = 505;
    const client = await reader(uid);
    const form = new URLSearchParams({
      uid: String(uid),
      title: 'Grüße',
      content: '你好',
      data: '{"article":7}',
    });
    const posted = await daemon.post('/api/notice/userMessage', form.toString(), {
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(posted.status).toBe(200);
    expect((await client.untilItems(1))[0]).toMatchObject({
      title: 'Grüße',
      content: '你好',
      data: { article: 7 },
    });
  });
});

describe('deliver: cron', () => {
  beforeAll(() => daemon.stopJobs('PushCommentMsg', 'PushUserNoticeMsg'));

  test('nothing arrives until the job runs, then one frame carries all', async () => {
    const uid = 700;
    const client = await reader(uid);
    const messages = Array.from({ length: 20 }, (_, n) => ({ uid, title: `c${n}`, deliver: 'cron' }));
    expect((await daemon.post('/api/comment/message', { messages })).status).toBe(200);
    await client.ask('ping');
    expect(client.items).toEqual([]);

    const ran = await daemon.run('crontab', 'run', '--name=PushCommentMsg', '--wait');
    expect(ran).toMatchObject({ exitCode: 0 });
    await client.untilItems(20);
    expect(client.pushes.map((frame) => frame.length)).toEqual([20]);
    await client.ask('ack', { ids: client.items.map(({ id }) => id) });

    await daemon.run('crontab', 'run', '--name=PushCommentMsg', '--wait');
    await client.ask('ping');
    expect(client.items).toHaveLength(20);
  });

  test('an offline user gets it at login after the job has run, not before', async () => {
    const uid = 701;
    await daemon.post('/api/notice/userMessage', { uid, title: 'later', deliver: 'cron' });
    const before = await reader(uid);
    await before.ask('ping');
    expect(before.items).toEqual([]);
    await before.close();
    await daemon.run('crontab', 'run', '--name=PushUserNoticeMsg', '--wait');
    const after = await reader(uid);
    expect((await after.untilItems(1))[0]?.title).toBe('later');
  });

  test('an unknown job is refused with the nearest name', async () => {
    const ran = await daemon.run('crontab', 'run', '--name=PushComentMsg');
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toContain('PushCommentMsg');
  });
});

describe('a session', () => {
  test('must log in for what is a user’s', async () => {
    const visitor = await WsClient.connect(daemon.wsUrl);
    clients.push(visitor);
    for (const [cmd, body] of [
      ['list', {}],
      ['unread', {}],
      ['ack', { ids: ['1600000000000000001'] }],
      ['read', { all: true }],
    ] as const) {
      expect(await visitor.ask(cmd, body)).toMatchObject({ cmd, code: 401 });
    }
    expect(await visitor.ask('login', { ukey: 'nobody' })).toMatchObject({
      code: 401,
      body: { retryAfter: 30 },
    });
    expect(await visitor.ask('ping')).toMatchObject({ code: 200, body: {} });
  });

  test('is another user’s after a second login, and a visitor’s after logout', async () => {
    const client = await reader(800);
    expect((await client.ask('login', { token: 'dev-801', ack: true })).body.uid).toBe(801);
    await daemon.post('/api/comment/message', { uid: 800, title: 'for 800' });
    await daemon.post('/api/comment/message', { uid: 801, title: 'for 801' });
    expect((await client.untilItems(1)).map(({ title }) => title)).toEqual(['for 801']);
    expect(await client.ask('logout')).toMatchObject({ code: 200 });
    await daemon.post('/api/comment/message', { uid: 801, title: 'too late' });
    await client.ask('ping');
    expect(client.items).toHaveLength(1);
    expect((await daemon.get('/api/user/801')).body.data).toMatchObject({ online: false, connections: [] });
  });

  test('answers a login and a logout that were sent together', async () => {
    const client = await WsClient.connect(daemon.wsUrl);
    clients.push(client);
    const [login, logout] = await Promise.all([
      client.ask('login', { ukey: 'dev-804' }),
      client.ask('logout'),
    ]);
    expect([login.code, logout.code]).toEqual([200, 200]);
    expect((await daemon.get('/api/user/804')).body.data.online).toBe(false);
  });

  test('is closed by the site with 4003', async () => {
    const [a, b] = await Promise.all([reader(802), reader(802)]);
    const kicked = await daemon.post('/api/user/kick', { uid: 802, reason: REASON });
    expect(kicked.body.data).toMatchObject({ closed: 2 });
    for (const client of [a, b]) {
      expect((await client.event('bye')).body).toEqual({ reason: REASON, retryAfter: null });
      const closed = await client.untilClosed();
      expect(closed.code).toBe(4003);
      expect(REASON.startsWith(closed.reason) && closed.reason.length > 20).toBe(true);
    }
  });

  test('lists newest first, page by page, and counts what is unread', async () => {
    const uid = 803;
    const messages = Array.from({ length: 45 }, (_, n) => ({ uid, title: `l${n}` }));
    await daemon.post('/api/comment/message', { messages });
    const client = await reader(uid);
    const titles: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await client.ask('list', { kind: 'comment', ...(cursor ? { cursor } : {}) });
      expect(page.body.cacheSeconds).toBeGreaterThanOrEqual(300);
      expect(page.body.cacheSeconds).toBeLessThanOrEqual(600);
      titles.push(...page.body.items.map(({ title }: { title: string }) => title));
      cursor = page.body.next;
    } while (cursor);
    expect(titles).toEqual(Array.from({ length: 45 }, (_, n) => `l${44 - n}`));
    expect((await client.ask('unread')).body).toMatchObject({ comment: 45, userNotice: 0 });
    expect((await client.ask('read', { kind: 'comment' })).body).toEqual({ read: 45 });
    expect((await client.ask('unread')).body).toMatchObject({ comment: 0 });
    expect((await client.ask('list', { unread: true, kind: 'comment' })).body.items).toEqual([]);
  });
});

// Last, because who logs in after it gets the notice too.
describe('a system notice', () => {
  test('reaches users and visitors live, and each user who comes later once', async () => {
    const visitor = await WsClient.connect(daemon.wsUrl);
    clients.push(visitor);
    const hello = await visitor.event('hello');
    expect(hello.body).toMatchObject({
      version: 1,
      heartbeat: { interval: 180, timeout: 30, tries: 2 },
      login: { retryAfter: 30 },
      reconnect: [60, 120, 180],
    });
    const user = await reader(600);
    const posted = await daemon.post('/api/notice/systemMessage', {
      title: 'Maintenance',
      content: 'tonight',
    });
    expect(posted.status).toBe(200);
    const [id] = posted.body.data.ids;
    for (const client of [visitor, user]) {
      const [item] = await client.untilItems(1);
      expect(item).toMatchObject({ id, kind: 'systemNotice' });
      expect(item?.uid).toBeUndefined();
    }
    expect((await user.ask('ack', { ids: [id] })).body).toEqual({ acked: 1 });
    const later = await reader(601);
    expect((await later.untilItems(1))[0]?.id).toBe(id);
    await later.ask('read', { kind: 'systemNotice' });
    expect((await later.ask('unread')).body).toMatchObject({ systemNotice: 0 });
    const again = await reader(600);
    await again.ask('ping');
    expect(again.items).toEqual([]);
  });
});
