import { existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  instanceFileOf,
  readInstance,
  removeInstance,
  removeStaleInstance,
  writeInstance,
} from '../../../../src/platform/instance/instance-file.js';
import { identityOf, type ProcessIdentity } from '../../../../src/platform/instance/process-identity.js';
import { LIVES, runProgram } from '../../../support/programs.js';
import { tempFolder } from '../../../support/temp-folder.js';

const pathsIn = (folder: string) => ({ pidFile: path.join(folder, 'websocket.pid') });

async function livingProcess(title?: string) {
  const program = await runProgram(title === undefined ? LIVES : `process.title = '${title}'; ${LIVES}`);
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
    expect(await readInstance(paths)).toEqual({ state: 'running', pid: identity.pid, identity });
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
    await writeInstance(paths);
    expect(await readInstance(paths)).toMatchObject({ state: 'running', pid: process.pid });
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
    ['websocket.master.json', '{"pid":'],
    ['websocket.master.json', '{"pid":"12"}'],
    ['websocket.pid', 'master'],
  ])('%s with %j is not guessed at', async (name, text) => {
    const folder = tempFolder({ [name]: text });
    const found = await readInstance(pathsIn(folder));
    expect(found).toMatchObject({ state: 'unreadable', denied: false });
    expect(found.state === 'unreadable' && found.reason).toContain(path.join(folder, name));
    await expect(writeInstance(pathsIn(folder))).rejects.toMatchObject({ code: 'START_FAILED' });
  });
});

describe('many starts at once', () => {
  const ROUNDS = 20;
  const STARTERS = 8;

  async function race(prepare: (paths: { pidFile: string }) => Promise<void>): Promise<void> {
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
