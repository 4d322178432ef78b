import { describe, expect, it } from 'vitest';
import { processKill } from '../../../../../src/master/control/commands/process-kill.js';
import type { ControlArgs } from '../../../../../src/shared/protocol/control-commands.js';
import { FakeNode } from '../../../../support/fake-node.js';

async function setUp() {
  const node = await FakeNode.start();
  const handler = processKill({
    mode: 'm',
    slots: node.slots,
    childrenOf: node.childrenOf,
    replacing: node.replacing,
    replacer: node.replacer,
    clock: node.clock,
  });
  const heard: string[] = [];
  const kill = (args: Partial<ControlArgs<'process.kill'>>) =>
    handler({ ...args, force: args.force ?? false }, ({ text }) => heard.push(text));
  return { node, kill, heard };
}

describe('process.kill', () => {
  it('replaces the process with this pid, and tells the new one', async () => {
    const { node, kill, heard } = await setUp();
    const old = node.last('Worker.1');
    const killed = kill({ pid: old.pid });
    const next = await node.comesUp(old);
    expect(await killed).toEqual({
      processes: [
        {
          pid: old.pid,
          name: 'spush.m.Worker.1',
          group: 'spush.m.Worker',
          option: 'SIGTERM',
          newPid: next.pid,
          kept: 0,
          closed: 3,
          longestPauseMs: 0,
        },
      ],
    });
    expect(heard).toEqual([
      'spush.m.Worker.1 has ended',
      `spush.m.Worker.1: pid ${old.pid} -> ${next.pid}, 0 connections kept, 3 closed (tls 2, left 1), longest pause 0.0 ms`,
    ]);
    expect(old.signals).toEqual([]);
  });

  it.each(['TaskWorker', 'spush.m.TaskWorker'])('takes the whole group %s', async (group) => {
    const { node, kill } = await setUp();
    const [first, second] = [node.last('TaskWorker.0'), node.last('TaskWorker.1')];
    const killed = kill({ group });
    await node.comesUp(first);
    await node.comesUp(second);
    expect((await killed).processes.map(({ name }) => name)).toEqual([
      'spush.m.TaskWorker.0',
      'spush.m.TaskWorker.1',
    ]);
    expect(node.spawner.children).toHaveLength(7);
  });

  it('kills with force, all at once, and waits for the new ones', async () => {
    const { node, kill } = await setUp();
    const olds = node.spawner.children.slice();
    const killed = kill({ all: true, force: true });
    expect(olds.map(({ signals }) => signals)).toEqual(olds.map(() => ['SIGKILL']));
    for (const old of olds) await node.comesUp(old);
    const { processes } = await killed;
    expect(processes.map(({ pid, option }) => [pid, option])).toEqual(
      olds.map(({ pid }) => [pid, 'SIGKILL']),
    );
    expect(processes.every(({ newPid }) => newPid !== null)).toBe(true);
    expect(node.supervisor.slots.map(({ restarts }) => restarts)).toEqual([1, 1, 1, 1, 1]);
  });

  it('is refused while a reload is under way, but not with force', async () => {
    const { node, kill } = await setUp();
    const old = node.last('Worker.0');
    const first = kill({ pid: old.pid });
    await expect(kill({ group: 'Worker' })).rejects.toMatchObject({ code: 'RELOAD_RUNNING' });
    const task = node.last('TaskWorker.0');
    const forced = kill({ pid: task.pid, force: true });
    await node.comesUp(task);
    await forced;
    await node.comesUp(old);
    await first;
  });

  it.each<[Partial<ControlArgs<'process.kill'>>, string]>([
    [{ pid: 1 }, 'no process of this server has pid 1; there are: 1000 spush.m.Worker.0, 1001'],
    [{ group: 'Work' }, 'Work is not a group of this server. Did you mean Worker or TaskWorker? Groups:'],
    [
      { group: 'spush.m.Workers' },
      'spush.m.Workers is not a group of this server. Did you mean spush.m.Worker',
    ],
    [{ pid: process.pid }, 'is the master, which takes the whole server with it'],
  ])('names what there is when nothing matches %o', async (args, text) => {
    const { node, kill } = await setUp();
    const killed = kill(args);
    await expect(killed).rejects.toMatchObject({ code: 'PROCESS_UNKNOWN' });
    await expect(killed).rejects.toThrow(text);
    expect(node.spawner.children).toHaveLength(5);
  });

  it('leaves alone what is being replaced already, unless with force', async () => {
    const { node, kill } = await setUp();
    const old = node.last('Worker.0');
    old.calls = { 'handoff.leave': async () => ({ closed: {}, left: 0 }) };
    const first = kill({ pid: old.pid });
    await node.comesUp(old);
    await expect(kill({ pid: old.pid })).rejects.toThrow('wait, or kill it with -f');
    expect((await kill({ pid: old.pid, force: true })).processes).toMatchObject([
      { pid: old.pid, newPid: node.last('Worker.0').pid },
    ]);
    await first;
  });

  it('must be told exactly one thing to end', async () => {
    const { kill } = await setUp();
    await expect(kill({})).rejects.toMatchObject({ code: 'CONTROL_BAD_REQUEST' });
    await expect(kill({ pid: 1000, all: true })).rejects.toMatchObject({ code: 'CONTROL_BAD_REQUEST' });
  });
});
