/**
 * What comes in goes out the same, whichever way it takes: live to either Worker, to visitors, by the job of its kind, by replay
 * and in the inbox. With SPUSH_TEST_PUSHENV=1 over MariaDB and Redis. fast-check prints the seed of what fails.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AnyMessage, anyMessage, formOf, itemsIn, jsonOf, meantBy } from '../support/any-message.js';
import { Daemon } from '../support/daemon.js';
import { readStrictly } from '../support/strict-json.js';
import { WsClient } from '../support/ws-client.js';

const COMMENT = '/api/comment/message';
const NOTICE = '/api/notice/systemMessage';
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const ROUNDS = 6;

let daemon: Daemon;
const clients: WsClient[] = [];

beforeAll(async () => {
  daemon = await Daemon.start({ env: { SPUSH_WORKER_NUM: '2' } });
  await daemon.stopJobs('PushCommentMsg', 'PushSystemNoticeMsg');
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await daemon.dispose();
});

async function reader(uid: number | null): Promise<WsClient> {
  const client = await (uid === null
    ? WsClient.connect(daemon.wsUrl)
    : WsClient.login(daemon.wsUrl, uid, { ack: true }));
  clients.push(client);
  return client;
}

type Said = Map<string, Record<string, unknown>>;

/** Posts them by turns as JSON, as a form and as a batch; answers what was meant, by id. */
async function post(
  path: string,
  messages: readonly AnyMessage[],
  to: Record<string, string>,
): Promise<Said> {
  const said: Said = new Map();
  const note = (answer: Awaited<ReturnType<Daemon['post']>>, some: readonly AnyMessage[]) => {
    expect(answer.body.msg).toBe('success');
    for (const [index, message] of some.entries()) said.set(answer.body.data.ids[index], meantBy(message));
  };
  const batch: AnyMessage[] = [];
  for (const [index, message] of messages.entries()) {
    if (index % 3 === 0) note(await daemon.post(path, jsonOf(message, to)), [message]);
    else if (index % 3 === 1) note(await daemon.post(path, formOf(message, to), FORM), [message]);
    else batch.push(message);
  }
  if (batch.length > 0) {
    const text = `{"messages":[${batch.map((message) => jsonOf(message, to)).join(',')}]}`;
    note(await daemon.post(path, text), batch);
  }
  return said;
}

/** What it has been pushed, by id; waits for all of these. */
async function pushed(client: WsClient, ids: Iterable<string>): Promise<Said> {
  const wanted = [...ids];
  await client.until(() => {
    const come = new Set(client.items.map(({ id }) => id));
    return wanted.every((id) => come.has(id));
  });
  const frames = client.texts.filter((_, at) => client.frames[at]?.cmd === 'push');
  const all = new Map(frames.flatMap((text) => [...itemsIn(text)]));
  return new Map(wanted.map((id) => [id, all.get(id) ?? {}]));
}

async function listed(client: WsClient): Promise<Said> {
  const said: Said = new Map();
  for (let cursor: string | null = null; ; ) {
    const { id, body } = await client.ask('list', { limit: 100, cursor });
    const at = client.frames.findIndex((frame) => frame.id === id);
    for (const [item, contents] of itemsIn(client.texts[at] ?? '')) said.set(item, contents);
    cursor = body.next;
    if (cursor === null) return said;
  }
}

describe('any message', () => {
  const several = fc.array(anyMessage, { minLength: 3, maxLength: 12 });

  test('to a user is the same live on every Worker, by replay and in the inbox', async () => {
    const uid = 71;
    const live = await Promise.all(Array.from({ length: 4 }, () => reader(uid)));
    const { connections } = (await daemon.get(`/api/user/${uid}`)).body.data;
    expect(new Set(connections.map(({ worker }: { worker: string }) => worker)).size).toBe(2);
    const all: Said = new Map();
    await fc.assert(
      fc.asyncProperty(several, async (messages) => {
        const said = await post(COMMENT, messages, { uid: String(uid) });
        for (const client of live) expect(await pushed(client, said.keys())).toEqual(said);
        for (const [id, contents] of said) all.set(id, contents);
      }),
      { numRuns: ROUNDS, endOnFailure: true },
    );
    const later = await reader(uid);
    expect(await pushed(later, all.keys())).toEqual(all);
    expect(await listed(later)).toEqual(all);
  });

  test('that waits for its job is the same', async () => {
    const uid = 72;
    const live = [await reader(uid), await reader(uid)];
    await fc.assert(
      fc.asyncProperty(several, async (messages) => {
        const said = await post(COMMENT, messages, { uid: String(uid), deliver: 'cron' });
        expect((await daemon.run('crontab', 'run', '--name=PushCommentMsg')).exitCode).toBe(0);
        for (const client of live) expect(await pushed(client, said.keys())).toEqual(said);
      }),
      { numRuns: 2, endOnFailure: true },
    );
  });

  test('to everybody is the same for users, visitors and who comes later', async () => {
    const live = [await reader(73), await reader(74), await reader(null), await reader(null)];
    const all: Said = new Map();
    await fc.assert(
      fc.asyncProperty(several, async (messages) => {
        const said = await post(NOTICE, messages, {});
        for (const client of live) expect(await pushed(client, said.keys())).toEqual(said);
        for (const [id, contents] of said) all.set(id, contents);
      }),
      { numRuns: 2, endOnFailure: true },
    );
    const later = await reader(75);
    expect(await pushed(later, all.keys())).toEqual(all);
    expect(await listed(later)).toEqual(all);
  });
});

describe('what cannot be carried', () => {
  const uid = 76;

  test.each([
    ['a number that no reader can hold', '{"uid":76,"title":"x","data":{"a":[{"n":1e400}]}}', 'data.a.0.n'],
    ['an id that JavaScript rounds', '{"uid":76,"title":"x","data":{"n":12345678901234567890}}', 'data.n'],
    ['a title cut in UTF-16', '{"uid":76,"title":"cut \\ud83d"}', 'title'],
    ['data cut in UTF-16', '{"uid":76,"title":"x","data":{"__proto__":"cut \\ud83d"}}', 'data.__proto__'],
    ['two users where one was meant', '{"uid":76,"uid":77,"title":"x"}', 'uid'],
    ['no user', '{"uid":"0","title":"x"}', 'uid'],
  ])('%s is refused by its path, with an answer that can be read strictly', async (_what, text, path) => {
    for (const body of [text, `{"messages":[{"uid":76,"title":"good"},${text}]}`]) {
      const answer = await daemon.post(COMMENT, body);
      expect(answer.status).toBe(400);
      expect(answer.body.data.errors.map((error: { path: string }) => error.path)).toContain(path);
    }
  });

  test.each([
    ['title[0]=x&content=c&uid=76', 'title'],
    ['uid=76&title=cut+%F0%9F%98', 'title'],
    ['uid=76&title=x&data[a]=1', 'data'],
    ['uid=76&title=x&title=y', 'title'],
  ])('the form %s is refused by its field', async (form, path) => {
    const answer = await daemon.post(COMMENT, form, FORM);
    expect(answer.status).toBe(400);
    expect(answer.body.data.errors).toMatchObject([{ path }]);
  });

  test('and none of it is stored', async () => {
    const client = await reader(uid);
    expect((await client.ask('list', { kind: 'comment' })).body.items).toEqual([]);
  });

  test('in a command is refused with a reply that can be read strictly', async () => {
    const client = await reader(null);
    const frames = [
      '{"cmd":"ping","id":"cut \\ud83d","ts":1}',
      '{"cmd":"cut \\ud83d","id":"7","ts":1}',
      '{"cmd":"login","id":"8","ts":1,"body":{"ukey":"dev-76","device":"cut \\ud83d"}}',
      '{"cmd":😀}',
    ];
    for (const frame of frames) client.socket.send(frame);
    await client.until(() => client.frames.filter(({ code }) => code === 400).length === frames.length);
    for (const text of client.texts) readStrictly(text);
    expect((await client.ask('ping')).code).toBe(200);
  });
});
