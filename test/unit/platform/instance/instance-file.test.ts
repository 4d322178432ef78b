import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  instanceFileOf,
  keepInstance,
  readInstance,
  removeInstance,
  removeStaleInstance,
  writeInstance,
} from '../../../../src/platform/instance/instance-file.js';
import { identityOf, type ProcessIdentity } from '../../../../src/platform/instance/process-identity.js';
import { LIVES, runProgram } from '../../../support/programs.js';
import { tempFolder } from '../../../support/temp-folder.js';

const TITLE = 'spush.websocket.Master';

const pathsIn = (folder: string) => ({
  home: folder,
  pidFile: path.join(folder, 'websocket.pid'),
  socket: path.join(folder, 'websocket.sock'),
});
type TestPaths = ReturnType<typeof pathsIn>;

async function livingProcess(title = TITLE) {
  const program = await runProgram(`process.title = '${title}'; ${LIVES}`);
  await program.line();
  const identity = await identityOf(program.pid);
  if (identity === null) throw new Error('it has ended');
  return { program, identity };
}

async function deadIdentity(): Promise<ProcessIdentity> {
  const { program, identity } = await livingProcess();
  program.child.kill('SIGKILL');
  await program.ended();
  return identity;
}

describe('the instance files', () => {
  test('hold the plain number and the identity, and only the owner removes them', async () => {
    const folder = tempFolder();
    const paths = pathsIn(folder);
    expect(await readInstance(paths)).toEqual({ state: 'none' });
    const { identity } = await livingProcess();
    await writeInstance(paths, { owner: identity });
    expect(readFileSync(paths.pidFile, 'utf8')).toBe(`${identity.pid}\n`);
    const master = { identity, uid: process.getuid?.(), title: TITLE };
    expect(await readInstance(paths)).toEqual({ state: 'running', pid: identity.pid, master });
    expect(await removeInstance(paths)).toBe(false);
    expect(existsSync(paths.pidFile)).toBe(true);
    expect(await removeInstance(paths, { owner: identity })).toBe(true);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('of a living master are not taken over', async () => {
    const paths = pathsIn(tempFolder());
    const { identity } = await livingProcess();
    await writeInstance(paths, { owner: identity });
    await expect(writeInstance(paths)).rejects.toMatchObject({
      code: 'ALREADY_RUNNING',
      detail: { mode: 'websocket', pid: identity.pid },
    });
    expect(await readInstance(paths)).toMatchObject({ pid: identity.pid });
  });

  test('of a dead master are stale, and are replaced', async () => {
    const folder = tempFolder();
    const paths = pathsIn(folder);
    const dead = await deadIdentity();
    await writeInstance(paths, { owner: dead });
    expect(await readInstance(paths)).toEqual({ state: 'stale', pid: dead.pid, identity: dead });
    const { identity } = await livingProcess();
    await writeInstance(paths, { owner: identity });
    expect(await readInstance(paths)).toMatchObject({ state: 'running', pid: identity.pid });
    expect(readdirSync(folder).sort()).toEqual(['websocket.master.json', 'websocket.pid']);
  });

  test('whose number belongs to another program now are stale', async () => {
    const paths = pathsIn(tempFolder());
    const { identity } = await livingProcess();
    await writeInstance(paths, { owner: { ...identity, startTicks: identity.startTicks - 100 } });
    expect(await readInstance(paths)).toMatchObject({ state: 'stale', pid: identity.pid });
  });

  test('from before a reboot are stale', async () => {
    const paths = pathsIn(tempFolder());
    const { identity } = await livingProcess();
    await writeInstance(paths, { owner: { ...identity, bootId: 'the boot before' } });
    expect(await readInstance(paths)).toMatchObject({ state: 'stale' });
  });

  test('without the identity, what the process calls itself decides', async () => {
    const paths = pathsIn(tempFolder());
    const master = await livingProcess('spush.websocket.Master');
    writeFileSync(paths.pidFile, `${master.identity.pid}\n`);
    expect(await readInstance(paths)).toMatchObject({ state: 'running', pid: master.identity.pid });
    const other = await livingProcess('something.else');
    writeFileSync(paths.pidFile, `${other.identity.pid}\n`);
    const stale = await readInstance(paths);
    expect(stale).toEqual({ state: 'stale', pid: other.identity.pid, identity: null });
    expect(await removeStaleInstance(paths, stale)).toBe(true);
    expect(await readInstance(paths)).toEqual({ state: 'none' });
  });

  test.each([
    ['of another title', 'something.else', 0],
    ['of another mode', 'spush.other.Master', 0],
    ['that started at another moment', TITLE, 1],
  ])('that name a living process %s are stale', async (_what, title, ticks) => {
    const paths = pathsIn(tempFolder());
    const { identity } = await livingProcess(title);
    await writeInstance(paths, { owner: { ...identity, startTicks: identity.startTicks + ticks } });
    expect(await readInstance(paths)).toMatchObject({ state: 'stale', pid: identity.pid });
  });

  test.skipIf(process.getuid?.() !== 0)('that name a process of another user are stale', async () => {
    const paths = pathsIn(tempFolder());
    const program = await runProgram(`process.setuid(65534); process.title = '${TITLE}'; ${LIVES}`);
    await program.line();
    const identity = await identityOf(program.pid);
    if (identity === null) throw new Error('it has ended');
    await writeInstance(paths, { owner: identity });
    expect(await readInstance(paths)).toMatchObject({ state: 'stale', pid: identity.pid });
    // Its own files are believed, by root too.
    chownSync(paths.home, 65534, 65534);
    chownSync(instanceFileOf(paths), 65534, 65534);
    expect(await readInstance(paths)).toMatchObject({ state: 'running', pid: identity.pid });
  });

  test.each([
    [
      'file',
      (paths: TestPaths) => {
        chmodSync(paths.pidFile, 0o666);
        chmodSync(instanceFileOf(paths), 0o666);
      },
      /master\.json can be written by others/,
    ],
    [
      'folder',
      (paths: TestPaths) => chmodSync(paths.home, 0o777),
      /can be written by others .*: chmod go-w /,
    ],
  ])('are not believed while others can write the %s', async (_what, open, reason) => {
    const paths = pathsIn(tempFolder());
    const { identity } = await livingProcess();
    await writeInstance(paths, { owner: identity });
    open(paths);
    expect(await readInstance(paths)).toMatchObject({
      state: 'broken',
      isUntrusted: true,
      reason: expect.stringMatching(reason),
    });
  });

  test('of another container are told apart, and replaced when nobody listens', async () => {
    const paths = pathsIn(tempFolder());
    const { identity } = await livingProcess();
    await writeInstance(paths, { owner: { ...identity, pidNamespace: 'pid:[1]' } });
    expect(await readInstance(paths)).toMatchObject({ state: 'elsewhere', pid: identity.pid });
    const listener = createServer().listen(paths.socket);
    await once(listener, 'listening');
    await expect(writeInstance(paths, { owner: identity })).rejects.toMatchObject({
      code: 'ALREADY_RUNNING',
      message: expect.stringContaining('another container'),
    });
    await new Promise((resolve) => listener.close(resolve));
    await writeInstance(paths, { owner: identity });
    expect(await readInstance(paths)).toMatchObject({ state: 'running', pid: identity.pid });
  });
});

describe('what a loss of power leaves', () => {
  const LEFT: [what: string, text: string, reason: RegExp][] = [
    ['nothing', '', /it is empty$/],
    ['zeros', '\0'.repeat(120), /holds nothing but zero bytes$/],
    ['the first half', '{"pid":12,"startTi', /cut off or garbled$/],
    ['another shape', '{"pid":"12"}', /cut off or garbled$/],
  ];

  test.each(LEFT)('of the identity, %s, is set aside by the next start', async (_what, text, reason) => {
    const folder = tempFolder({ 'websocket.master.json': text, 'websocket.pid': '999999999\n' });
    const paths = pathsIn(folder);
    expect(await readInstance(paths)).toMatchObject({
      state: 'broken',
      isUntrusted: false,
      reason: expect.stringMatching(reason),
    });
    const { identity } = await livingProcess();
    const now = Date.UTC(2026, 0, 31, 12);
    const { setAside } = await writeInstance(paths, { owner: identity, now });
    const aside = `${instanceFileOf(paths)}.broken-20260131T120000`;
    expect(setAside).toEqual([expect.stringContaining(`it is set aside as ${aside}`)]);
    expect(readFileSync(aside, 'utf8')).toBe(text);
    expect(await readInstance(paths)).toMatchObject({ state: 'running', pid: identity.pid });
  });

  test('or somebody has put in the place of the files, is set aside, folders too', async () => {
    const folder = tempFolder({ 'websocket.master.json/x': '', 'websocket.pid/x': '' });
    const paths = pathsIn(folder);
    const { identity } = await livingProcess();
    const { setAside } = await writeInstance(paths, { owner: identity });
    expect(setAside).toHaveLength(2);
    expect(await readInstance(paths)).toMatchObject({ state: 'running', pid: identity.pid });
  });

  test('of the pid file is set aside as well', async () => {
    const folder = tempFolder({ 'websocket.pid': '\0\0\0' });
    const paths = pathsIn(folder);
    const { identity } = await livingProcess();
    const { setAside } = await writeInstance(paths, { owner: identity });
    expect(setAside).toHaveLength(1);
    expect(await readInstance(paths)).toMatchObject({ state: 'running', pid: identity.pid });
  });

  test('is kept three times at most', async () => {
    const folder = tempFolder();
    const paths = pathsIn(folder);
    const { identity } = await livingProcess();
    writeFileSync(paths.pidFile, '');
    for (let n = 0; n < 5; n += 1) {
      unlinkSync(paths.pidFile);
      writeFileSync(instanceFileOf(paths), '');
      await writeInstance(paths, { owner: identity });
    }
    expect(readdirSync(folder).filter((name) => name.includes('broken'))).toHaveLength(3);
  });

  test('is not set aside while the pid file leads to a master that runs', async () => {
    const { identity } = await livingProcess();
    const folder = tempFolder({ 'websocket.master.json': '', 'websocket.pid': `${identity.pid}\n` });
    const paths = pathsIn(folder);
    expect(await readInstance(paths)).toMatchObject({ state: 'running', pid: identity.pid });
    await expect(writeInstance(paths)).rejects.toMatchObject({ code: 'ALREADY_RUNNING' });
    expect(readdirSync(folder).sort()).toEqual(['websocket.master.json', 'websocket.pid']);
  });

  test('is not set aside while somebody listens on the control socket', async () => {
    const folder = tempFolder({ 'websocket.master.json': '' });
    const paths = pathsIn(folder);
    const listener = createServer().listen(paths.socket);
    onTestFinished(() => void listener.close());
    await once(listener, 'listening');
    await expect(writeInstance(paths)).rejects.toMatchObject({
      code: 'ALREADY_RUNNING',
      message: expect.stringContaining(`a master listens on ${paths.socket}`),
    });
    expect(readFileSync(instanceFileOf(paths), 'utf8')).toBe('');
  });
});

describe('files of a living master', () => {
  test('that are gone or spoilt are made again', async () => {
    const folder = tempFolder();
    const paths = pathsIn(folder);
    const { identity } = await livingProcess();
    await writeInstance(paths, { owner: identity });
    expect(await keepInstance(paths, identity)).toBe(false);
    const spoil = [
      () => unlinkSync(paths.pidFile),
      () => unlinkSync(instanceFileOf(paths)),
      () => writeFileSync(instanceFileOf(paths), ''),
      () => writeFileSync(paths.pidFile, '1\n'),
    ];
    for (const each of spoil) {
      each();
      expect(await keepInstance(paths, identity)).toBe(true);
      expect(await readInstance(paths)).toMatchObject({ state: 'running', pid: identity.pid });
      expect(readFileSync(paths.pidFile, 'utf8')).toBe(`${identity.pid}\n`);
    }
    expect(statSync(instanceFileOf(paths)).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).sort()).toEqual(['websocket.master.json', 'websocket.pid']);
  });

  test('are left to another master that lives', async () => {
    const paths = pathsIn(tempFolder());
    const [first, second] = await Promise.all([livingProcess(), livingProcess()]);
    await writeInstance(paths, { owner: second.identity });
    await expect(keepInstance(paths, first.identity)).rejects.toMatchObject({ code: 'ALREADY_RUNNING' });
    expect(await readInstance(paths)).toMatchObject({ pid: second.identity.pid });
  });
});

describe('many starts at once', () => {
  const ROUNDS = 20;
  const STARTERS = 8;

  async function race(prepare: (paths: TestPaths) => Promise<void>): Promise<void> {
    const starters = await Promise.all(Array.from({ length: STARTERS }, () => livingProcess()));
    for (let round = 0; round < ROUNDS; round++) {
      const folder = tempFolder();
      const paths = pathsIn(folder);
      await prepare(paths);
      const results = await Promise.allSettled(
        starters.map(({ identity }) => writeInstance(paths, { owner: identity })),
      );
      const winners = results.filter(({ status }) => status === 'fulfilled');
      expect(winners).toHaveLength(1);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'ALREADY_RUNNING' });
      }
      const found = await readInstance(paths);
      const winner = results.findIndex(({ status }) => status === 'fulfilled');
      expect(found).toMatchObject({ state: 'running', pid: starters[winner]?.identity.pid });
      expect(readFileSync(paths.pidFile, 'utf8')).toBe(`${starters[winner]?.identity.pid}\n`);
    }
  }

  test('let exactly one through where nothing ran', async () => {
    await race(async () => {});
  });

  test('let exactly one through over a stale file', async () => {
    const dead = await deadIdentity();
    await race(async (paths) => {
      await writeInstance(paths, { owner: dead });
    });
  });

  test('get past one that died in the middle of replacing a stale file', async () => {
    const [dead, deadToo] = await Promise.all([deadIdentity(), deadIdentity()]);
    await race(async (paths) => {
      await writeInstance(paths, { owner: dead });
      const claim = `${instanceFileOf(paths)}.after-${dead.pid}-${dead.startTicks}`;
      writeFileSync(claim, JSON.stringify(deadToo));
    });
  });
});

describe('removing what a dead master left', () => {
  test('leaves the files of the next one alone', async () => {
    const paths = pathsIn(tempFolder());
    const dead = await deadIdentity();
    await writeInstance(paths, { owner: dead });
    const stale = await readInstance(paths);
    const { identity } = await livingProcess();
    await writeInstance(paths, { owner: identity });
    expect(await removeStaleInstance(paths, stale)).toBe(false);
    expect(await readInstance(paths)).toMatchObject({ state: 'running', pid: identity.pid });
  });

  test('takes all of it', async () => {
    const folder = tempFolder();
    const paths = pathsIn(folder);
    await writeInstance(paths, { owner: await deadIdentity() });
    unlinkSync(paths.pidFile);
    expect(await removeStaleInstance(paths, await readInstance(paths))).toBe(true);
    expect(readdirSync(folder)).toEqual([]);
  });
});
