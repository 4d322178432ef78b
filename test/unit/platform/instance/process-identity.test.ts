import { describe, expect, test } from 'vitest';
import {
  identityOf,
  isAlive,
  parseStat,
  processTitle,
  readProcessStat,
} from '../../../../src/platform/instance/process-identity.js';
import { LIVES, runProgram } from '../../../support/programs.js';

async function identified(pid: number) {
  const identity = await identityOf(pid);
  if (identity === null) throw new Error(`process ${pid} is not there`);
  return identity;
}

describe('a process', () => {
  test('is alive until it has ended', async () => {
    const program = await runProgram(LIVES);
    await program.line();
    const identity = await identified(program.pid);
    expect(await isAlive(identity)).toBe(true);
    program.child.kill('SIGKILL');
    await program.ended();
    expect(await isAlive(identity)).toBe(false);
    expect(await identityOf(program.pid)).toBeNull();
  });

  test('is not another one with its number', async () => {
    const identity = await identified(process.pid);
    expect(await isAlive({ ...identity, startTicks: identity.startTicks - 1 })).toBe(false);
    expect(await isAlive({ ...identity, bootId: 'the boot before' })).toBe(false);
    expect(await isAlive(identity)).toBe(true);
  });

  test('that has ended and was not collected is gone', async () => {
    // The shell starts a child that ends at once, and does not wait for it.
    const program = await runProgram(`
      const { spawn } = require('node:child_process');
      const shell = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
      process.on('exit', () => shell.kill('SIGKILL'));
      process.on('SIGTERM', () => process.exit());
      shell.stdout.once('data', (pid) => {
        const { readFileSync } = require('node:fs');
        const look = () => {
          const stat = readFileSync('/proc/' + String(pid).trim() + '/stat', 'utf8');
          if (stat.includes(') Z ')) console.log(String(pid).trim());
          else setImmediate(look);
        };
        look();
      });
      setInterval(() => {}, 1000);
    `);
    const zombie = Number(await program.line());
    expect(await readProcessStat(zombie)).toBeNull();
    program.child.kill('SIGTERM');
    await program.ended();
  });

  test('tells its title', async () => {
    const program = await runProgram(`process.title = 'spush.x.Master'; ${LIVES}`);
    await program.line();
    expect(await processTitle(program.pid)).toBe('spush.x.Master');
  });

  test('may have any name in brackets', () => {
    const stat = `12 (a) R (b c) S 7 ${'0 '.repeat(17)}4711 0`;
    expect(parseStat(stat)).toEqual({ pid: 12, state: 'S', parent: 7, startTicks: 4711 });
    expect(parseStat('12 (short) S')).toBeNull();
  });
});
