/** Starts over whatever was left in the folders, with whatever rights; and what everybody on the machine may see of them. */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CommandResult, Daemon } from '../support/daemon.js';
import { outsideProgram } from '../support/outside-program.js';
import { runSite } from '../support/run-site.js';

const SECRET = 'hunter2-hunter2';

let home: string;
let daemon: Daemon;
let umask: number;

beforeEach(async () => {
  umask = process.umask(0);
  home = mkdtempSync(path.join(tmpdir(), 'spush-start-'));
  const env = { SPUSH_WORKER_NUM: '1', SPUSH_TASK_WORKER_NUM: '1' };
  daemon = await Daemon.prepare({ home, env });
});

afterEach(async () => {
  process.umask(umask);
  await daemon.run('server', 'stop', '-force');
  rmSync(home, { recursive: true, force: true });
});

const inHome = (...parts: string[]): string => path.join(home, ...parts);
const start = (...options: string[]): Promise<CommandResult> =>
  daemon.run('server', 'start', '-d', '--json', ...options);

function put(name: string, text: string): void {
  mkdirSync(path.dirname(inHome(name)), { recursive: true });
  writeFileSync(inHome(name), text);
}

const modeOf = (name: string): string => (statSync(inHome(name)).mode & 0o777).toString(8).padStart(3, '0');

function commandLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return ''; // it has ended meanwhile
      }
    });
}

describe('a start', () => {
  test.each([
    ['empty', ''],
    ['full of zeros', '\0'.repeat(100)],
    ['cut off', '{"pid":123,'],
    ['garbled', '\u0001\u0002 what is this'],
  ])('over files that are %s, as a loss of power leaves them, works and says what it set aside', async (_what, text) => {
    put('Temp/websocket.master.json', text);
    put('Temp/websocket.pid', text.slice(0, 5));
    put('Data/websocket.crontab.json', text);
    const { exitCode, stdout, stderr } = await start();
    expect(exitCode).toBe(0);
    const { warnings, pid } = JSON.parse(stdout) as { warnings: string[]; pid: number };
    expect(warnings).toHaveLength(2);
    expect(warnings.join()).toMatch(
      /master\.json does not hold the identity .* it is set aside as .*\.broken-\d+T\d+/,
    );
    expect(stderr).toContain(`warning: ${warnings[0]}`);
    expect(readFileSync(inHome('Temp/websocket.pid'), 'utf8')).toBe(`${pid}\n`);
    expect(readdirSync(inHome('Data')).join()).toContain('crontab.json.broken-');
    expect((await daemon.run('server', 'stop')).exitCode).toBe(0);
  });

  test('of several at once over such files lets one through', { timeout: 90_000 }, async () => {
    put('Temp/websocket.master.json', '');
    const results = await Promise.all([start(), start(), start()]);
    expect(results.map(({ exitCode }) => exitCode).sort()).toEqual([0, 1, 1]);
    for (const { exitCode, stdout } of results) {
      if (exitCode !== 0) expect(stdout).toMatch(/is running already as pid \d+/);
    }
    const winner = results.find(({ exitCode }) => exitCode === 0);
    const { pid } = JSON.parse(winner?.stdout ?? '') as { pid: number };
    const { stdout } = await daemon.run('server', 'status', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ pid });
  });

  test('with a log that cannot be opened works, says so, and heals by itself', async () => {
    mkdirSync(inHome('Log/websocket.log'), { recursive: true });
    const { exitCode, stderr } = await start();
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/^warning: .*Log\/websocket\.log cannot be opened: EISDIR/m);
    rmSync(inHome('Log/websocket.log'), { recursive: true });
    await expect
      .poll(async () => JSON.parse((await daemon.run('server', 'status', '--json')).stdout).warnings, {
        timeout: 15_000,
      })
      .toEqual([]);
    expect(readFileSync(inHome('Log/websocket.log'), 'utf8')).toContain('"event":"trouble.ended"');
  });

  test('makes files for its user alone, whatever the umask is', async () => {
    expect((await start()).exitCode).toBe(0);
    await daemon.run('crontab', 'run', '--name=PushCommentMsg', '--wait');
    expect(['Temp', 'Log', 'Data'].map(modeOf)).toEqual(['700', '750', '700']);
    const files = [
      'Temp/websocket.master.json',
      'Temp/websocket.sock',
      'Log/websocket.log',
      'Data/websocket.crontab.json',
    ];
    expect(files.map(modeOf)).toEqual(['600', '600', '640', '600']);
    const stores = readdirSync(inHome('Data')).filter((name) => name.includes('.db'));
    if (runSite() === null)
      expect(stores.sort()).toEqual(['websocket.db', 'websocket.db-shm', 'websocket.db-wal']);
    for (const name of stores) expect(modeOf(`Data/${name}`)).toBe('600');
  });

  test('takes away what others could read, and says so in the log', async () => {
    expect((await start()).exitCode).toBe(0);
    expect((await daemon.run('server', 'stop')).exitCode).toBe(0);
    for (const name of readdirSync(inHome('Data'))) chmodSync(inHome('Data', name), 0o644);
    for (const name of ['Temp', 'Log', 'Data']) chmodSync(inHome(name), 0o755);
    chmodSync(inHome('Log/websocket.log'), 0o666);
    put('Data/other.db', 'of another mode');
    expect((await start()).exitCode).toBe(0);
    expect(['Temp', 'Log', 'Data', 'Log/websocket.log', 'Data/other.db'].map(modeOf)).toEqual([
      '700',
      '750',
      '700',
      '640',
      '666',
    ]);
    const own = readdirSync(inHome('Data')).filter((name) => name.startsWith('websocket.'));
    for (const name of own) expect(modeOf(`Data/${name}`)).toBe('600');
    const log = readFileSync(inHome('Log/websocket.log'), 'utf8');
    expect(log).toMatch(
      new RegExp(`"path":"${inHome('Data')}","from":"0755","to":"0700","event":"files.tightened"`),
    );
  });

  test('with a secret on its command line keeps it out of the list of processes', async () => {
    const seen: string[] = [];
    const looking = setInterval(() => seen.push(...commandLines()), 20);
    const { exitCode } = await start(`--set=db.password=${SECRET}`);
    clearInterval(looking);
    expect(exitCode).toBe(0);
    // For the moment in which the command itself begins nothing can be done: the kernel shows what it was started with.
    const shown = seen.filter((line) => line.includes(SECRET));
    expect(shown.filter((line) => !/ bin\/spush\.js | \S+\/bin\/spush\.js server start /.test(line))).toEqual(
      [],
    );
    expect(commandLines().filter((line) => line.includes(SECRET))).toEqual([]);
    const { stdout } = await daemon.run('config', 'show', '--json', `--set=db.password=${SECRET}`);
    expect(stdout).not.toContain(SECRET);
  });
});

const unshare = outsideProgram('unshare', 'apt-get install util-linux');

test.skipIf(unshare === null || process.getuid?.() !== 0)(
  'a server in a container that shares the folder is neither doubled nor mistaken for a process here',
  async () => {
    const bin = path.resolve(import.meta.dirname, '../../bin/spush.js');
    const inside = `exec ${process.execPath} ${bin} server start --port=0`;
    const container = spawn(
      unshare ?? '',
      ['--net', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', inside],
      { env: daemon.environment, stdio: 'ignore' },
    );
    const ended = new Promise((resolve) => container.once('exit', resolve));
    await expect
      .poll(async () => (await daemon.run('server', 'status')).exitCode, { timeout: 20_000 })
      .toBe(0);
    const second = await start();
    expect(second.exitCode).toBe(1);
    expect(second.stdout).toMatch(/is running already: a master listens on .*another container/);
    for (const options of [[], ['-force']]) {
      const { exitCode, stderr } = await daemon.run('server', 'stop', ...options);
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(/as pid \d+, which is not its master here: .*; stop it there/);
    }
    expect((await daemon.run('server', 'status')).exitCode).toBe(0);
    container.kill('SIGKILL');
    await ended;
    expect((await start()).exitCode).toBe(0);
  },
);

describe('the name of a mode', () => {
  test('with a dot is refused with what to do; one that runs can be stopped', async () => {
    const { exitCode, stderr } = await daemon.run('server', 'start', '-d', '-mode=night.spill');
    expect(exitCode).toBe(2);
    expect(stderr).toContain(
      'rename Data/night.spill.* to Data/night-spill.*, and start it as -mode=night-spill',
    );
    const stop = await daemon.run('server', 'stop', '-mode=night.spill');
    expect(stop.exitCode).toBe(3);
    expect(stop.stderr).toContain('mode night.spill is not running');
  });
});
