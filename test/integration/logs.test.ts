import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Daemon } from '../support/daemon.js';
import { outsideProgram } from '../support/outside-program.js';
import { WsClient } from '../support/ws-client.js';

const ROOT = path.resolve(import.meta.dirname, '../..');
const logrotate = outsideProgram('logrotate', 'apt-get install logrotate');
const UID = 4242;
const BODY = 'nobody but the reader may see this';
const TITLE = 'a title that is private too';
const SECRET = 'the secret of the api key';

let daemon: Daemon;
let file: string;

beforeAll(async () => {
  daemon = await Daemon.start({
    env: {
      SPUSH_LOG_LEVEL: 'trace',
      SPUSH_API_KEYS: JSON.stringify({ main: SECRET }),
      SPUSH_LOG_BYTES_MAX: '65536',
    },
  });
  file = path.join(daemon.home, 'Log/websocket.log');
});

afterAll(() => daemon.dispose());

function lines(name: string): { process: string; event: string; level: string }[] {
  return readFileSync(name, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

function group(): string {
  return execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim();
}

describe('the log', () => {
  test('of a full run has one JSON line per event of every process, and no key, token or body', async () => {
    const client = await WsClient.login(daemon.wsUrl, UID, { ack: true, device: 'secret-device-name' });
    const refused = await WsClient.connect(daemon.wsUrl);
    await refused.ask('login', { token: 'stolen-token-1234' });
    refused.socket.send('{"cmd":"stolen-frame');
    await daemon.post('/api/comment/message', {
      uid: UID,
      title: TITLE,
      content: BODY,
      data: { note: BODY },
    });
    await daemon.post(
      '/api/comment/message',
      { uid: UID, title: TITLE, content: BODY },
      { 'x-spush-key': 'main', 'x-spush-signature': SECRET },
    );
    await daemon.post('/api/comment/message', `{"uid":${UID},"title":"${TITLE}`);
    await client.untilItems(1);
    await client.ask('list');
    await daemon.run('crontab', 'run', '--name=PushCommentMsg', '--wait');
    await daemon.run('process', 'kill', '--group=Worker', '-f');
    await client.untilClosed();
    const text = readdirSync(path.dirname(file))
      .map((name) => readFileSync(path.join(path.dirname(file), name), 'utf8'))
      .join('');
    for (const secret of [BODY, TITLE, SECRET, `dev-${UID}`, 'stolen-token', 'stolen-frame']) {
      expect(text).not.toContain(secret);
      expect(daemon.output).not.toContain(secret);
    }
    const processes = new Set(lines(file).map((line) => line.process.replace(/\.\d+$/, '')));
    for (const title of ['Master', 'Worker', 'TaskWorker', 'CrontabScheduler']) {
      expect(processes).toContain(`spush.websocket.${title}`);
    }
    await refused.close();
  });

  test('is opened anew by every process when it was moved away and the master hears SIGUSR1', async () => {
    renameSync(file, `${file}.aside`);
    process.kill(daemon.masterPid, 'SIGUSR1');
    await expect.poll(() => existsSync(file)).toBe(true);
    const before = readFileSync(`${file}.aside`).length;
    await daemon.run('process', 'kill', '--group=Crontab', '-f');
    await expect.poll(() => lines(file).some(({ event }) => event === 'child.ready')).toBe(true);
    expect(readFileSync(`${file}.aside`).length).toBe(before);
  });

  test('is opened anew by every process when it was moved away and `spush log reopen` asks for it', async () => {
    renameSync(file, `${file}.aside2`);
    const { exitCode, stdout } = await daemon.run('log', 'reopen', '--json');
    expect([exitCode, JSON.parse(stdout)]).toEqual([0, { processes: daemon.children().size }]);
    expect(existsSync(file)).toBe(true);
    await daemon.run('process', 'kill', '--group=Crontab', '-f');
    await expect.poll(() => lines(file).some(({ event }) => event === 'child.ready')).toBe(true);
  });

  test('is followed to its new name by every process also when nobody tells it', async () => {
    const before = lines(file).length;
    renameSync(file, `${file}.aside3`);
    await expect.poll(() => existsSync(file), { timeout: 10_000 }).toBe(true);
    const writers = async (): Promise<string[]> => {
      await daemon.run('crontab', 'run', '--name=PushCommentMsg', '--wait');
      return lines(file).map(({ event }) => event);
    };
    // Of the CrontabScheduler and of a TaskWorker; each finds out by itself.
    await expect
      .poll(writers, { timeout: 10_000 })
      .toEqual(expect.arrayContaining(['job.done', 'sweep.done']));
    expect(lines(`${file}.aside3`).length).toBeGreaterThanOrEqual(before);
  });

  test('is in the folder that SPUSH_LOG names', async () => {
    const folder = path.join(daemon.home, 'elsewhere');
    const apart = await Daemon.start({ env: { SPUSH_LOG: folder, SPUSH_WORKER_NUM: '1' } });
    onTestFinished(() => apart.dispose());
    expect(lines(path.join(folder, 'websocket.log')).map(({ event }) => event)).toContain('node.ready');
    expect(existsSync(path.join(apart.home, 'Log'))).toBe(false);
  });

  test.skipIf(logrotate === null)('is rotated by logrotate with the file of deploy/', async () => {
    const conf = path.join(daemon.home, 'logrotate.conf');
    const user = userInfo().username;
    const text = readFileSync(path.join(ROOT, 'deploy/logrotate'), 'utf8')
      .replaceAll('spush spush', `${user} ${group()}`)
      .replaceAll('/var/lib/spush', daemon.home)
      .replaceAll('/var/log/spush', path.join(daemon.home, 'Log'))
      .replaceAll('/opt/spush/current', ROOT)
      .replaceAll('/etc/spush', ROOT)
      .replaceAll('/usr/bin/node', process.execPath);
    writeFileSync(conf, text, { mode: 0o644 });
    const state = path.join(daemon.home, 'logrotate.state');
    const rotate = (): string =>
      execFileSync(logrotate ?? '', ['-f', '-s', state, conf], { encoding: 'utf8' });
    rotate();
    expect(existsSync(`${file}.1`)).toBe(true);
    await daemon.run('crontab', 'run', '--name=PushCommentMsg', '--wait');
    await expect.poll(() => lines(file).map(({ event }) => event)).toContain('job.done');
    expect(statSync(file).mode & 0o777).toBe(0o640);
    // A mode that does not run is no failure.
    writeFileSync(conf, text.replace('-mode=websocket', '-mode=other'));
    rotate();
  });

  test('is moved away by size, and nothing is lost on the way', async () => {
    writeFileSync(
      file,
      `${JSON.stringify({ process: 'x', event: 'filler', level: 'info', text: 'x'.repeat(70_000) })}\n`,
      { flag: 'a' },
    );
    const moved = (): string | undefined =>
      readdirSync(path.dirname(file)).find((name) => /^websocket\.\d{4}-\d\d-\d\d\.1\.log$/.test(name));
    await expect.poll(moved, { timeout: 15_000 }).toBeDefined();
    expect(lines(path.join(path.dirname(file), moved() ?? '')).some(({ event }) => event === 'filler')).toBe(
      true,
    );
    expect(lines(file).some(({ event }) => event === 'log.rotated')).toBe(true);
  });
});

test('a full disk under Log/ costs lines of the log and nothing else', { timeout: 60_000 }, async () => {
  const home = mkdtempSync(path.join(tmpdir(), 'spush-logfull-'));
  const folder = path.join(home, 'Log');
  mkdirSync(folder);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4k', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    console.log('skipped: no right to mount a small file system here');
    rmSync(home, { recursive: true });
    return;
  }
  const full = await Daemon.start({ home, env: { SPUSH_LOG_LEVEL: 'trace', SPUSH_WORKER_NUM: '1' } });
  try {
    const pids = full.tree().sort();
    const client = await WsClient.login(full.wsUrl, 1);
    const fill = async (): Promise<string> => {
      await full.run('crontab', 'run', '--name=PushCommentMsg', '--wait');
      return (await full.run('server', 'status')).stdout;
    };
    await expect.poll(fill, { timeout: 30_000 }).toMatch(/warning: log: .* ENOSPC/);
    expect((await full.post('/api/comment/message', { uid: 1, title: 'still here' })).status).toBe(200);
    await client.untilItems(1);
    expect(full.tree().sort()).toEqual(pids);
    await client.close();
  } finally {
    await full.stop();
    execFileSync('umount', [folder]);
    rmSync(home, { recursive: true });
  }
});
