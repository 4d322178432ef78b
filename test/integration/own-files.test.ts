/**
 * What somebody does to the files of a running server ends nothing: the same processes go on, clients stay, pushes arrive; the
 * status says what is wrong, and when it is well again. As root this runs the server as another user, whom rights stop.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ServerStatus } from '../../src/shared/protocol/control-commands.js';
import { Daemon } from '../support/daemon.js';
import { seededRandom } from '../support/random.js';
import { WsClient } from '../support/ws-client.js';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;
const UID = 777;
/** Looked after every two seconds. */
const SOON = { timeout: 15_000, interval: 200 };

let daemon: Daemon;
let client: WsClient;
let pids: number[];
let sent = 0;

const home = (...parts: string[]): string => path.join(daemon.home, ...parts);
const mine = (file: string): void => {
  if (isRoot) chownSync(file, NOBODY, NOBODY);
};

beforeAll(async () => {
  daemon = await Daemon.start({
    ...(isRoot ? { user: NOBODY } : {}),
    env: { SPUSH_WORKER_NUM: '2', SPUSH_TASK_WORKER_NUM: '1', SPUSH_LOG_BYTES_MAX: '65536' },
  });
  client = await WsClient.login(daemon.wsUrl, UID);
  pids = daemon.tree().sort();
});

afterAll(async () => {
  await client?.close();
  await daemon?.dispose();
});

async function status(): Promise<ServerStatus> {
  const { exitCode, stdout, stderr } = await daemon.run('server', 'status', '--json');
  if (exitCode !== 0) throw new Error(`${stdout}${stderr}`);
  return JSON.parse(stdout) as ServerStatus;
}

async function troubles(): Promise<string[]> {
  return [...new Set((await status()).warnings.map(({ trouble }) => trouble))].sort();
}

async function expectDelivery(): Promise<void> {
  sent += 1;
  expect((await daemon.post('/api/comment/message', { uid: UID, title: `n${sent}` })).status).toBe(200);
  await client.untilItems(sent);
  expect(client.closed).toBeNull();
  expect(daemon.tree().sort()).toEqual(pids);
}

/** Something is logged by several processes. */
async function makeLines(): Promise<void> {
  await daemon.run('crontab', 'run', '--name=PushCommentMsg', '--wait');
}

function logEvents(): string[] {
  return readFileSync(home('Log/websocket.log'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { event: string }).event);
}

interface Deed {
  readonly what: string;
  readonly trouble: string;
  readonly onlyAs?: 'other user';
  do(): void;
  undo(): void;
}

const DEEDS: Deed[] = [
  {
    what: 'a folder in the place of the log',
    trouble: 'log',
    do: () => {
      rmSync(home('Log/websocket.log'));
      mkdirSync(home('Log/websocket.log'));
    },
    undo: () => rmdirSync(home('Log/websocket.log')),
  },
  {
    what: 'a file in the place of Log/',
    trouble: 'log',
    do: () => {
      rmSync(home('Log'), { recursive: true });
      writeFileSync(home('Log'), '');
    },
    undo: () => rmSync(home('Log')),
  },
  {
    what: 'no right to enter Log/',
    trouble: 'log',
    onlyAs: 'other user',
    do: () => chmodSync(home('Log'), 0),
    undo: () => chmodSync(home('Log'), 0o750),
  },
  {
    what: 'another owner of Log/',
    trouble: 'log',
    onlyAs: 'other user',
    do: () => {
      chownSync(home('Log'), 0, 0);
      chmodSync(home('Log'), 0o700);
    },
    undo: () => mine(home('Log')),
  },
  {
    what: 'a folder in the place of the pid file',
    trouble: 'instanceFiles',
    do: () => {
      rmSync(home('Temp/websocket.pid'));
      mkdirSync(home('Temp/websocket.pid'));
    },
    undo: () => rmdirSync(home('Temp/websocket.pid')),
  },
  {
    what: 'a folder in the place of the identity',
    trouble: 'instanceFiles',
    do: () => {
      rmSync(home('Temp/websocket.master.json'));
      mkdirSync(home('Temp/websocket.master.json'));
    },
    undo: () => rmdirSync(home('Temp/websocket.master.json')),
  },
  {
    what: 'a folder in the place of what the crontab remembers',
    trouble: 'crontabState',
    do: () => {
      rmSync(home('Data/websocket.crontab.json'), { force: true });
      mkdirSync(home('Data/websocket.crontab.json'));
    },
    undo: () => rmdirSync(home('Data/websocket.crontab.json')),
  },
];

describe.each(DEEDS)('$what', (deed) => {
  test.skipIf(deed.onlyAs !== undefined && !isRoot)('is a warning, and ends nothing', async () => {
    deed.do();
    await makeLines();
    await expect.poll(troubles, SOON).toContain(deed.trouble);
    await expectDelivery();
    deed.undo();
    await expect.poll(troubles, SOON).toEqual([]);
    await expectDelivery();
    expect(existsSync(home('Temp/websocket.pid'))).toBe(true);
  });
});

/** While the control socket cannot be reached nothing can be asked: what was wrong stands in the log. */
describe.each<Omit<Deed, 'trouble'>>([
  {
    what: 'a folder in the place of the control socket',
    do: () => {
      rmSync(home('Temp/websocket.sock'));
      mkdirSync(home('Temp/websocket.sock'));
    },
    undo: () => rmdirSync(home('Temp/websocket.sock')),
  },
  {
    what: 'a file in the place of Temp/',
    do: () => {
      rmSync(home('Temp'), { recursive: true });
      writeFileSync(home('Temp'), '');
    },
    undo: () => rmSync(home('Temp')),
  },
  {
    what: 'no right to enter Temp/',
    onlyAs: 'other user',
    do: () => chmodSync(home('Temp'), 0),
    undo: () => chmodSync(home('Temp'), 0o700),
  },
])('$what', (deed) => {
  test.skipIf(deed.onlyAs !== undefined && !isRoot)('ends nothing, and the truth is told', async () => {
    const before = logEvents().length;
    deed.do();
    await expect.poll(() => logEvents().slice(before), SOON).toContain('trouble.begun');
    await expectDelivery();
    const { exitCode, stderr } = await daemon.run('server', 'start');
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/running already as pid \d+/);
    deed.undo();
    await expect.poll(async () => (await daemon.run('server', 'status')).exitCode, SOON).toBe(0);
    await expect.poll(troubles, SOON).toEqual([]);
    await expectDelivery();
  });
});

test('a hundred deeds by chance cost nobody anything', async () => {
  const seed = Number(process.env['SPUSH_TEST_SEED'] ?? Math.floor(Math.random() * 1_000_000));
  console.log(`seed ${seed}`);
  const random = seededRandom(seed);
  const oneOf = (count: number): number => Math.floor(random() * count);
  const places = ['Temp', 'Log', 'Temp/websocket.pid', 'Temp/websocket.master.json', 'Temp/websocket.sock'];
  places.push('Log/websocket.log', 'Data/websocket.crontab.json');
  const deeds: ((file: string) => void)[] = [
    () => {},
    (file) => mkdirSync(path.join(file, 'x'), { recursive: true }),
    (file) => execFileSync('mkfifo', [file], { stdio: 'ignore' }),
    (file) => symlinkSync('/no/such/place', file),
    (file) => symlinkSync('/dev/full', file),
    (file) => writeFileSync(file, ''),
    (file) => writeFileSync(file, Buffer.alloc(300)),
  ];
  for (let n = 0; n < 100; n += 1) {
    const file = home(places[oneOf(places.length)] ?? '');
    try {
      rmSync(file, { recursive: true, force: true });
      deeds[oneOf(deeds.length)]?.(file);
    } catch {
      // Its folder is none at the moment.
    }
    process.kill(daemon.masterPid, 'SIGUSR1');
    await new Promise((resolve) => setTimeout(resolve, random() * 300));
    if (n % 5 === 0) await expectDelivery();
  }
  for (const place of places) rmSync(home(place), { recursive: true, force: true });
  await expect.poll(async () => (await daemon.run('server', 'status')).exitCode, SOON).toBe(0);
  await expect.poll(troubles, SOON).toEqual([]);
  await expectDelivery();
});

describe('rm -rf', () => {
  test('of Log/ and Temp/ is made good within seconds', async () => {
    for (const name of ['Log', 'Temp']) rmSync(home(name), { recursive: true });
    // Asked at once it waits for the socket to come back.
    expect((await daemon.run('server', 'status')).exitCode).toBe(0);
    await expect
      .poll(() => readdirSync(home('Temp')).sort(), SOON)
      .toEqual(['websocket.master.json', 'websocket.pid', 'websocket.sock']);
    await expect.poll(() => existsSync(home('Log/websocket.log')), SOON).toBe(true);
    expect(readFileSync(home('Temp/websocket.pid'), 'utf8')).toBe(`${daemon.masterPid}\n`);
    const modes = ['Temp', 'Temp/websocket.master.json', 'Temp/websocket.sock', 'Log', 'Log/websocket.log'];
    expect(modes.map((name) => (statSync(home(name)).mode & 0o777).toString(8))).toEqual([
      '700',
      '600',
      '600',
      '750',
      '640',
    ]);
    await expect.poll(troubles, SOON).toEqual([]);
    await expectDelivery();
  });

  test('of Log/ that was renamed leaves nothing behind that is still written', async () => {
    renameSync(home('Log'), home('Log.old'));
    await expect.poll(() => existsSync(home('Log/websocket.log')), SOON).toBe(true);
    await expect.poll(troubles, SOON).toEqual([]);
    // Each process looks for its file every two seconds, at its own time: lines go to the old file until the last has looked.
    const oldSize = () => statSync(home('Log.old/websocket.log')).size;
    const oldFileGrows = async () => {
      const before = oldSize();
      await makeLines();
      return oldSize() > before;
    };
    await expect.poll(oldFileGrows, SOON).toBe(false);
    expect(logEvents()).toContain('job.done');
    expect(await oldFileGrows()).toBe(false);
    rmSync(home('Log.old'), { recursive: true });
    await expectDelivery();
  });
});

describe.skipIf(!isRoot)('a file system under Log/', () => {
  function mounted(...words: string[]): boolean {
    try {
      execFileSync('mount', words, { stdio: 'ignore' });
      return true;
    } catch {
      console.log('skipped: no right to mount here');
      return false;
    }
  }

  test('that is full is a warning, and lines come again with room, which says how many are missing', async () => {
    if (!mounted('-t', 'tmpfs', '-o', `size=64k,uid=${NOBODY},mode=750`, 'tmpfs', home('Log'))) return;
    try {
      await expect.poll(() => existsSync(home('Log/websocket.log')), SOON).toBe(true);
      try {
        writeFileSync(home('Log/filler'), Buffer.alloc(1_000_000));
      } catch {
        // It is full now.
      }
      // A process that has not looked for its file yet writes to the one that the mount hides, where there is room.
      const troublesOfMoreLines = async () => {
        await makeLines();
        return troubles();
      };
      await expect.poll(troublesOfMoreLines, SOON).toContain('log');
      await expectDelivery();
      rmSync(home('Log/filler'));
      await expect.poll(troubles, SOON).toEqual([]);
      expect(logEvents()).toContain('log.missed');
      await expectDelivery();
    } finally {
      execFileSync('umount', ['-l', home('Log')]);
    }
    await expect.poll(troubles, SOON).toEqual([]);
  });

  test('that can only be read is a warning', async () => {
    if (!mounted('--bind', home('Log'), home('Log'))) return;
    try {
      execFileSync('mount', ['-o', 'remount,bind,ro', home('Log')]);
      await makeLines();
      await expect.poll(troubles, SOON).toContain('log');
      await expectDelivery();
    } finally {
      execFileSync('umount', ['-l', home('Log')]);
    }
    await expect.poll(troubles, SOON).toEqual([]);
    await expectDelivery();
  });
});

test('stop works while Temp/ is gone, and a second stop says that nothing runs', async () => {
  const pid = daemon.masterPid;
  rmSync(home('Temp'), { recursive: true });
  writeFileSync(home('Temp'), '');
  const { exitCode, stdout } = await daemon.run('server', 'stop');
  expect([exitCode, stdout]).toEqual([0, expect.stringContaining(`server stop for pid ${pid} at `)]);
  await client.untilClosed();
  expect(client.closed?.code).toBe(1001);
  rmSync(home('Temp'));
  expect((await daemon.run('server', 'stop')).exitCode).toBe(3);
});
