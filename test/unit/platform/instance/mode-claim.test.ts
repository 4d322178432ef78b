/** The kernel's claim on a mode: one holder at a time, found without any file, and by nothing but holding it. */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { claimMode, findHolder } from '../../../../src/platform/instance/mode-claim.js';
import { type RunningProgram, runProgram } from '../../../support/programs.js';
import { RUN_SOURCES, sourceFile } from '../../../support/run-sources.js';
import { tempFolder } from '../../../support/temp-folder.js';

const CLAIM = sourceFile('platform/instance/mode-claim.ts');

/** A process that claims a mode of a home; it prints what became of it. */
async function claimant(
  home: string,
  { mode = 'm', title = `spush.${mode}.Master` }: { mode?: string; title?: string } = {},
): Promise<{ program: RunningProgram; state: string }> {
  const program = await runProgram(
    `process.title = '${title}';
     import('${CLAIM}').then(async ({ claimMode }) => {
       const claim = await claimMode({ home: '${home}', mode: '${mode}' });
       console.log(claim.state + ' ' + (claim.by?.identity.pid ?? ''));
     });
     setInterval(() => {}, 1000);`,
    { flags: RUN_SOURCES },
  );
  return { program, state: (await program.line()).trim() };
}

describe('the claim on a mode', () => {
  test('is had by one process, and its holder is found without any file', async () => {
    const home = tempFolder();
    expect(await findHolder({ home, mode: 'm' })).toBeNull();
    const first = await claimant(home);
    expect(first.state).toBe('ours');
    expect(await findHolder({ home, mode: 'm' })).toMatchObject({
      identity: { pid: first.program.pid },
      uid: process.getuid?.(),
      title: 'spush.m.Master',
    });
    expect((await claimant(home)).state).toBe(`taken ${first.program.pid}`);
    expect(await claimMode({ home, mode: 'm' })).toMatchObject({
      state: 'taken',
      by: { identity: { pid: first.program.pid } },
    });
  });

  test('ends with its process, however that ends', async () => {
    const home = tempFolder();
    const { program } = await claimant(home);
    program.child.kill('SIGKILL');
    await program.ended();
    expect(await findHolder({ home, mode: 'm' })).toBeNull();
    expect((await claimant(home)).state).toBe('ours');
  });

  test('is one for each mode and each home, whatever the path to the home is', async () => {
    const home = tempFolder();
    const first = await claimant(home);
    expect((await claimant(home, { mode: 'n' })).state).toBe('ours');
    expect((await claimant(tempFolder())).state).toBe('ours');
    const moved = path.join(tempFolder(), 'moved');
    renameSync(home, moved);
    expect(await findHolder({ home: moved, mode: 'm' })).toMatchObject({
      identity: { pid: first.program.pid },
    });
    expect(await findHolder({ home, mode: 'm' })).toBeNull();
  });

  test('outlives everything in the home', async () => {
    const home = tempFolder();
    mkdirSync(path.join(home, 'Temp'));
    const { program } = await claimant(home);
    for (const name of ['Temp', 'Log', 'Data'])
      rmSync(path.join(home, name), { recursive: true, force: true });
    expect(await findHolder({ home, mode: 'm' })).toMatchObject({ identity: { pid: program.pid } });
  });

  test('that somebody else took is no master, and keeps nobody from starting', async () => {
    const home = tempFolder();
    await claimant(home, { title: 'squatter' });
    expect(await findHolder({ home, mode: 'm' })).toBeNull();
    expect(await claimMode({ home, mode: 'm' })).toMatchObject({
      state: 'none',
      reason: expect.stringMatching(/EADDRINUSE.* spush\/\d+:\d+\/m\/$/),
    });
  });

  test('knows when its home is not the one that is there any more', async () => {
    const home = tempFolder();
    const claim = await claimMode({ home, mode: 'm' });
    if (claim.state !== 'ours') throw new Error(`the claim is ${claim.state}`);
    onTestFinished(() => claim.release());
    expect(await claim.holds()).toBe(true);
    renameSync(home, `${home}.old`);
    onTestFinished(() => rmSync(`${home}.old`, { recursive: true }));
    mkdirSync(home);
    expect(await claim.holds()).toBe(false);
  });

  test('of a home that is not there cannot be had', async () => {
    const claim = await claimMode({ home: '/no/such/home', mode: 'm' });
    expect(claim).toEqual({ state: 'none', reason: '/no/such/home is not there' });
  });

  test('of many that start at once exactly one gets', async () => {
    for (let round = 0; round < 3; round += 1) {
      const home = tempFolder();
      const states = await Promise.all(Array.from({ length: 6 }, () => claimant(home)));
      expect(states.filter(({ state }) => state === 'ours')).toHaveLength(1);
    }
  });
});
