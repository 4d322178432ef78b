/**
 * The recipes of docs/PROTOCOL.md as they are printed, run by a real PHP and a real shell: against a real spush, with nginx in
 * front and without, and against callers' bad days: nobody listens, nobody answers, an answer is lost, 503.
 *
 * PHP here is that of the machine. That nothing newer than PHP 7.4 is used is held by its words only.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { signCall } from '../../src/platform/auth/signature.js';
import { Daemon } from '../support/daemon.js';
import { docBlock, docBlocks } from '../support/doc-blocks.js';
import { repositoryFile } from '../support/kept-file.js';
import { Nginx } from '../support/nginx.js';
import { outputOf } from '../support/output-of.js';
import { outsideProgram } from '../support/outside-program.js';
import { mariadbProgram, OwnMariadb } from '../support/own-mariadb.js';
import { WsClient } from '../support/ws-client.js';

const PAGE = 'docs/PROTOCOL.md';
const RECIPES = '### Recipes for the main site';
const KEY = { id: 'gzcp', secret: 'spush-example-secret' };
/** User of the printed page. */
const UID = 176_906;

const php = outsideProgram('php', 'apt-get install php-cli php-curl php-mysql');
const curl = outsideProgram('curl', 'apt-get install curl');
const openssl = outsideProgram('openssl', 'apt-get install openssl');
const nginxProgram = outsideProgram('nginx', 'apt-get install nginx-light');
const hasMariadb = mariadbProgram() !== null;

const blocks = docBlocks(PAGE, RECIPES);
const recipe = (has: string): string => docBlock(PAGE, RECIPES, has);

interface Run {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

function run(
  program: string,
  args: readonly string[],
  env: Record<string, string>,
  input = '',
): Promise<Run> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const child = spawn(program, args, {
      env: { PATH: process.env['PATH'], SPUSH_KEY_ID: KEY.id, SPUSH_SECRET: KEY.secret, ...env },
    });
    const output = outputOf(child);
    child.once('error', reject);
    child.once('close', (exitCode) => resolve({ exitCode, ...output, ms: performance.now() - begun }));
    child.stdin.end(input);
  });
}

/** A spush that says what the test wants, and counts its connections. */
async function fakeSpush(answer: (req: IncomingMessage, body: string, res: ServerResponse) => void) {
  let connections = 0;
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (part: Buffer) => {
      body += part.toString();
    });
    req.on('end', () => answer(req, body, res));
  });
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, connections: () => connections };
}

function says(res: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify({ code: status, msg: status === 200 ? 'success' : 'not now', data: {} }));
}

describe('the recipes of the page', () => {
  test('are these, and no other is left without a test', () => {
    expect(blocks.map(({ language }) => language)).toEqual(['sql', 'php', 'php', 'php', 'sh', 'nginx']);
  });

  test('use nothing that PHP 7.4 does not have, as far as words tell', () => {
    const text = blocks.flatMap(({ language, text: code }) => (language === 'php' ? [code] : [])).join('\n');
    for (const newer of [
      /\bmatch\s*\(/,
      /\?->/,
      /\benum\s/,
      /\breadonly\b/,
      /\bstr_(contains|starts_with|ends_with)\b/,
      /__construct\([^)]*\b(private|public|protected)\b/,
      /\barray_is_list\b/,
      /\(\.\.\.\)/,
      /: (mixed|never|static)\b/,
      /\b[a-z]\w*: \$/, // arguments by name
    ])
      expect(newer.exec(text)?.[0], String(newer)).toBeUndefined();
  });
});

describe.skipIf(php === null || !hasMariadb)('the PHP recipes', { timeout: 120_000 }, () => {
  let folder: string;
  let mariadb: OwnMariadb;
  let daemon: Daemon;
  const ends: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    mariadb = await OwnMariadb.start(mariadbProgram() ?? '');
    ends.push(() => mariadb.stop());
    await mariadb.asRoot(async (root) => {
      await root.query('CREATE DATABASE main CHARACTER SET utf8mb4');
      await root.query("CREATE USER 'main'@'localhost' IDENTIFIED BY 'of the main site'");
      await root.query("GRANT ALL ON main.* TO 'main'@'localhost'");
      await root.query('USE main');
      await root.query(recipe('CREATE TABLE'));
    });
    daemon = await Daemon.start({
      env: { SPUSH_API_KEYS: JSON.stringify({ [KEY.id]: KEY.secret }), SPUSH_WORKER_NUM: '2' },
      key: KEY,
    });
    ends.push(() => daemon.dispose());
    folder = mkdtempSync(path.join(tmpdir(), 'spush-php-'));
    ends.push(async () => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(path.join(folder, 'spush.php'), recipe('final class Spush\n'));
    writeFileSync(path.join(folder, 'page.php'), recipe('The comment is there'));
    writeFileSync(path.join(folder, 'flush.php'), recipe('->flush()'));
  }, 120_000);
  afterAll(async () => {
    for (const end of ends.reverse()) await end();
  });
  beforeEach(async () => {
    await sql('DELETE FROM main.spush_outbox');
  });

  async function sql(text: string): Promise<Record<string, unknown>[]> {
    return await mariadb.asRoot(async (root) => (await root.query(text))[0] as Record<string, unknown>[]);
  }
  const rows = () => sql('SELECT number, path, tries, next_at, error FROM main.spush_outbox ORDER BY number');
  const due = () => sql('UPDATE main.spush_outbox SET next_at = 0 WHERE next_at IS NOT NULL');

  /** With the socket of this MariaDB in place of the machine's. */
  function runPhp(file: string, url: string): Promise<Run> {
    const options = ['-d', `pdo_mysql.default_socket=${mariadb.place.socket}`, '-d', 'error_reporting=-1'];
    const env = { SPUSH_URL: url, MAIN_DB_PASSWORD: 'of the main site' };
    return run(php ?? '', [...options, path.join(folder, file)], env);
  }

  /** A program of the test's own with the printed file. */
  function runOwn(code: string, url: string): Promise<Run> {
    writeFileSync(path.join(folder, 'own.php'), `<?php\nrequire __DIR__ . '/spush.php';\n${code}`);
    return runPhp('own.php', url);
  }

  async function page(url: string): Promise<Run> {
    const done = await runPhp('page.php', url);
    expect(done).toMatchObject({ exitCode: 0, stdout: 'The comment is there.\n', stderr: '' });
    return done;
  }

  async function job(url: string): Promise<Run> {
    await due();
    return await runPhp('flush.php', url);
  }

  /** The printed message has one id; each test begins without what others have stored under it. */
  async function reader(): Promise<WsClient> {
    const client = await WsClient.login(daemon.wsUrl, UID, { ack: true });
    onTestFinished(() => client.close());
    return client;
  }

  test('push in the page, and leave nothing behind', async () => {
    await page(daemon.url);
    expect(await rows()).toEqual([]);
    const client = await reader();
    const [item] = await client.untilItems(1);
    expect(item).toMatchObject({ kind: 'comment', title: 'New reply', content: 'Somebody answered.' });
  });

  test('keep the page when nobody listens, and push from the job when somebody does', async () => {
    const { ms } = await page('http://127.0.0.1:1');
    expect(ms).toBeLessThan(5000);
    expect(await rows()).toMatchObject([{ tries: 1, error: expect.stringMatching(/connect/i) }]);
    const failed = await job('http://127.0.0.1:1');
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toMatch(/^spush_outbox \d+: .*connect/i);
    expect(await rows()).toMatchObject([{ tries: 2 }]);
    expect(await job(daemon.url)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await rows()).toEqual([]);
  });

  test('let the page go after a second when spush says nothing', async () => {
    const silent = await fakeSpush(() => {});
    const begun = performance.now();
    const none = await runOwn('exit(0);', silent.url);
    const startMs = performance.now() - begun;
    expect(none.exitCode).toBe(0);
    const { ms } = await page(silent.url);
    expect(ms - startMs).toBeGreaterThan(800);
    expect(ms - startMs).toBeLessThan(4000);
    expect(await rows()).toMatchObject([{ tries: 1, error: expect.stringMatching(/timed out/i) }]);
  });

  test('send again what was stored and not answered, and it comes once', async () => {
    // The answer is lost on the way back.
    const deaf = await fakeSpush(async (req, body, res) => {
      const headers = Object.fromEntries(
        Object.entries(req.headers).filter(([name]) => name.startsWith('x-spush') || name === 'content-type'),
      ) as Record<string, string>;
      const answer = await fetch(`${daemon.url}${req.url}`, { method: 'POST', headers, body });
      expect(answer.status).toBe(200);
      res.destroy();
    });
    const client = await reader();
    await page(deaf.url);
    expect(await rows()).toMatchObject([{ tries: 1 }]);
    expect(await job(daemon.url)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await rows()).toEqual([]);
    await client.untilItems(1);
    await client.ask('ping');
    const { body } = await client.ask('list', { kind: 'comment', limit: 100 });
    expect(body.items.filter(({ title }: { title: string }) => title === 'New reply')).toHaveLength(1);
  });

  test.each([
    [503, 40],
    [429, 17],
    [500, 0],
    [401, 0],
    [408, 0],
  ])('come back later after %i (Retry-After %i)', async (status, seconds) => {
    const busy = await fakeSpush((_req, _body, res) =>
      says(res, status, seconds > 0 ? { 'Retry-After': String(seconds) } : {}),
    );
    const before = Math.floor(Date.now() / 1000);
    await page(busy.url);
    const [row] = await rows();
    expect(row).toMatchObject({ tries: 1, error: `${status} not now` });
    expect(Number(row?.['next_at'])).toBeGreaterThanOrEqual(before + (seconds || 2));
    expect(Number(row?.['next_at'])).toBeLessThanOrEqual(before + (seconds || 2) * 1.5 + 5);
  });

  test('keep a row whose error is no text that the table takes', async () => {
    const odd = await fakeSpush((_req, _body, res) => {
      res.writeHead(503);
      res.end(Buffer.from(JSON.stringify({ code: 503, msg: '中'.repeat(600), data: null })));
    });
    await page(odd.url);
    expect(await rows()).toMatchObject([{ tries: 1, error: expect.stringMatching(/^503 \?{496}$/) }]);
    const noJson = await fakeSpush((_req, _body, res) => {
      res.writeHead(502, { 'content-type': 'text/html' });
      res.end('<html>Bad gateway \u00e9</html>');
    });
    expect((await job(noJson.url)).exitCode).toBe(1);
    expect(await rows()).toMatchObject([{ tries: 2, error: '502 not an answer of spush' }]);
  });

  test('give a call that is wrong to a person, and go on with the others', async () => {
    const done = await runOwn(
      `$db = new PDO('mysql:host=localhost;dbname=main;charset=utf8mb4', 'main', getenv('MAIN_DB_PASSWORD'));
       $outbox = new SpushOutbox($db, Spush::fromEnvironment());
       $outbox->put('/api/comment/message', [['uid' => -7, 'title' => 'to nobody']]);
       $outbox->put('/api/nowhere', [['uid' => 7, 'title' => 'nowhere']]);
       $outbox->put('/api/comment/message', [['uid' => 7, 'title' => 'to seven', 'id' => 'seven']]);`,
      daemon.url,
    );
    expect(done).toMatchObject({ exitCode: 0, stderr: '', stdout: '' });
    const flushed = await job(daemon.url);
    expect(flushed.exitCode).toBe(1);
    expect(flushed.stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^spush_outbox \d+: 400 .*uid: expected a user id/),
      expect.stringMatching(/^spush_outbox \d+: 404 /),
    ]);
    expect(await rows()).toMatchObject([
      { path: '/api/comment/message', next_at: null, error: expect.stringContaining('400 ') },
      { path: '/api/nowhere', next_at: null },
    ]);
    expect(await job(daemon.url)).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('have one job at a time, and stop it at the first call that fares badly', async () => {
    let calls = 0;
    const slow = await fakeSpush((_req, _body, res) => {
      calls += 1;
      setTimeout(() => says(res, calls === 1 ? 200 : 503), 1000);
    });
    await runOwn(
      `$db = new PDO('mysql:host=localhost;dbname=main;charset=utf8mb4', 'main', getenv('MAIN_DB_PASSWORD'));
       $outbox = new SpushOutbox($db, Spush::fromEnvironment());
       for ($n = 0; $n < 5; $n++) $outbox->put('/api/comment/message', [['uid' => 1, 'title' => "n$n"]]);`,
      slow.url,
    );
    await due();
    const [one, two] = await Promise.all([runPhp('flush.php', slow.url), runPhp('flush.php', slow.url)]);
    expect(calls).toBe(2);
    expect([one?.exitCode, two?.exitCode].sort()).toEqual([0, 1]);
    expect((await rows()).map(({ tries }) => tries)).toEqual([1, 0, 0, 0]);
  });

  test('use one connection for all calls of a run', async () => {
    const spush = await fakeSpush((_req, _body, res) => says(res, 200));
    await runOwn(
      `$db = new PDO('mysql:host=localhost;dbname=main;charset=utf8mb4', 'main', getenv('MAIN_DB_PASSWORD'));
       $outbox = new SpushOutbox($db, Spush::fromEnvironment());
       for ($n = 0; $n < 30; $n++) $outbox->put('/api/comment/message', [['uid' => 1, 'title' => "n$n"]]);`,
      spush.url,
    );
    expect(await job(spush.url)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await rows()).toEqual([]);
    expect(spush.connections()).toBe(1);
  });

  test('split what is above the limits, and nothing is left out or doubled', async () => {
    const code = `
      $spush = Spush::fromEnvironment();
      $accepted = 0; $calls = 0; $largest = 0;
      $messages = [];
      for ($n = 0; $n < 1300; $n++) $messages[] = ['uid' => 500000 + $n, 'title' => "m$n", 'deliver' => 'cron', 'id' => "small-$n"];
      for ($n = 0; $n < 300; $n++) $messages[] = ['uid' => 600000 + $n, 'content' => str_repeat('中', 8000), 'deliver' => 'cron', 'id' => "large-$n"];
      $messages[] = ['uids' => range(700001, 702500), 'title' => 'to many', 'deliver' => 'cron', 'id' => 'many'];
      for ($k = 0; $k < 101; $k++) $messages[] = ['uids' => range(800001, 801000), 'title' => "p$k", 'deliver' => 'cron', 'id' => "pairs-$k"];
      foreach (Spush::bodies($messages) as $body) {
        $answer = $spush->call('POST', '/api/comment/message', $body, Spush::IN_THE_BACKGROUND);
        if (!$answer->isStored()) { fwrite(STDERR, $answer->text); exit(1); }
        $calls++; $largest = max($largest, strlen($body));
        $accepted += $answer->data['accepted'];
      }
      echo json_encode([$accepted, $calls > 5, $largest > 1900000]);
    `;
    const done = await runOwn(code, daemon.url);
    expect(done.stderr).toBe('');
    expect(JSON.parse(done.stdout)).toEqual([1300 + 300 + 2500 + 101_000, true, true]);
  });

  test('ask as well: a GET has neither type nor body', async () => {
    const done = await runOwn(
      `$answer = Spush::fromEnvironment()->call('GET', '/api/user/42', '', Spush::IN_A_PAGE);
       echo json_encode([$answer->status, $answer->data['online']]);`,
      daemon.url,
    );
    expect(JSON.parse(done.stdout)).toEqual([200, false]);
  });

  test.skipIf(nginxProgram === null)('push under a path of the main site, behind nginx', async () => {
    const nginx = await Nginx.start(nginxProgram ?? '', daemon.port, underAPath());
    onTestFinished(() => nginx.stop());
    const uid = UID;
    const client = await WsClient.login(`ws://127.0.0.1:${nginx.port}/push/`, uid, { ack: true });
    const before = client.items.length;
    const done = await runOwn(
      `$answer = Spush::fromEnvironment()->call('POST', '/api/notice/userMessage', '{"uid":${uid},"title":"under /push"}', Spush::IN_A_PAGE);
       echo $answer->text;
       $answer = Spush::fromEnvironment()->call('GET', '/api/user/${uid}?x=%20a', '', Spush::IN_A_PAGE);
       echo $answer->text;`,
      `http://127.0.0.1:${nginx.port}/push`,
    );
    expect(done).toMatchObject({ stdout: '200 success200 success', stderr: '' });
    await client.until(() => client.items.slice(before).some(({ title }) => title === 'under /push'));
    await client.close();
  });
});

/** The sample of deploy/ with the block of the page in place of its own. */
function underAPath(): string {
  const sample = repositoryFile('deploy/nginx.conf');
  const begin = sample.indexOf('    location / {');
  const end = sample.lastIndexOf('    }\n');
  if (begin === -1 || end < begin) throw new Error('deploy/nginx.conf has no location /');
  return sample.slice(0, begin) + recipe('location /push/') + sample.slice(end + '    }\n'.length);
}

describe.skipIf(nginxProgram === null)('under a path of the main site', () => {
  let daemon: Daemon;
  let nginx: Nginx;
  beforeAll(async () => {
    daemon = await Daemon.start({
      env: { SPUSH_API_KEYS: JSON.stringify({ [KEY.id]: KEY.secret }), SPUSH_WORKER_NUM: '1' },
      key: KEY,
    });
    nginx = await Nginx.start(nginxProgram ?? '', daemon.port, underAPath());
  });
  afterAll(async () => {
    await nginx?.stop();
    await daemon?.dispose();
  });

  async function call(target: string, signed: string): Promise<number> {
    const body = '{"uid":9,"title":"signed"}';
    const nonce = createHash('sha256').update(`${target}${signed}${Date.now()}`).digest('hex');
    const timestamp = Math.floor(Date.now() / 1000);
    const headers = signCall(KEY, {
      method: 'POST',
      path: signed,
      contentType: 'application/json',
      body,
      timestamp,
      nonce,
    });
    const answer = await fetch(`http://127.0.0.1:${nginx.port}${target}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
    });
    return answer.status;
  }

  test('the path without the prefix is what is signed, the query with it', async () => {
    expect(await call('/push/api/comment/message', '/api/comment/message')).toBe(200);
    expect(await call('/push/api/comment/message?a=1&b=%2Fx', '/api/comment/message?a=1&b=%2Fx')).toBe(200);
    expect(await call('/push/api/comment/message', '/push/api/comment/message')).toBe(401);
  });

  test('clients come by /push/ and /push/ws', async () => {
    for (const at of ['/push/', '/push/ws']) {
      const client = await WsClient.login(`ws://127.0.0.1:${nginx.port}${at}`, 5);
      await client.close();
    }
  });

  test.each([
    '/push/metrics',
    '/push//metrics',
    '/push/%6detrics',
    '/push/x/../metrics',
    '/push/metrics/',
    '/metrics',
  ])('%s is closed', async (at) => {
    const answer = await fetch(`http://127.0.0.1:${nginx.port}${at}`);
    expect(answer.status).toBe(403);
    expect(await answer.text()).not.toContain('spush_');
  });
});

describe.skipIf(curl === null || openssl === null)('the shell recipe', { timeout: 120_000 }, () => {
  let folder: string;
  let daemon: Daemon;
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'spush-sh-'));
    writeFileSync(path.join(folder, 'spush-call.sh'), recipe('#!/bin/sh'));
    daemon = await Daemon.start({
      env: { SPUSH_API_KEYS: JSON.stringify({ [KEY.id]: KEY.secret }), SPUSH_WORKER_NUM: '1' },
      key: KEY,
    });
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await daemon?.dispose();
  });

  const call = (url: string, body: string, target = '/api/comment/message'): Promise<Run> =>
    run('sh', [path.join(folder, 'spush-call.sh'), target], { SPUSH_URL: url }, body);

  test('pushes what it is given, to the byte', async () => {
    const client = await WsClient.login(daemon.wsUrl, 31);
    onTestFinished(() => client.close());
    const done = await call(daemon.url, '{"uid":31,"title":"100 % \\"good\\" 中 \\\\n","content":"a\\nb"}\n');
    expect(done).toMatchObject({ exitCode: 0, stderr: '' });
    expect(JSON.parse(done.stdout)).toMatchObject({ code: 200, data: { accepted: 1 } });
    expect(await client.untilItems(1)).toMatchObject([{ title: '100 % "good" 中 \\n', content: 'a\nb' }]);
  });

  test('ends with 1 and the reason when the call is wrong', async () => {
    const done = await call(daemon.url, '{"uid":-1,"title":"x"}');
    expect(done).toMatchObject({ exitCode: 1, stdout: '' });
    expect(done.stderr).toContain('expected a user id');
  });

  test('tries again after as long as it is asked to, each time signed anew', async () => {
    const nonces = new Set<unknown>();
    const times: number[] = [];
    const busy = await fakeSpush((req, _body, res) => {
      nonces.add(req.headers['x-spush-nonce']);
      times.push(performance.now());
      if (times.length < 3) says(res, 503, { 'Retry-After': '2' });
      else says(res, 200);
    });
    expect((await call(busy.url, '{}')).exitCode).toBe(0);
    expect(nonces.size).toBe(3);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(1900);
  });

  test('ends with 75 when nobody is there', async () => {
    const done = await call('http://127.0.0.1:1', '{}');
    expect(done.exitCode).toBe(75);
    expect(done.stderr).toContain('no answer');
  });
});
