import { describe, expect, it } from 'vitest';
import type { AskedChild } from '../../../../../src/master/control/ask-a-worker.js';
import { serverStatus } from '../../../../../src/master/control/commands/server-status.js';
import { OwnFigures } from '../../../../../src/master/status/node-figures.js';
import type { Config } from '../../../../../src/platform/config/config-schema.js';
import { childStats } from '../../../../../src/platform/rpc/child-stats.js';
import { SpushError } from '../../../../../src/shared/base/errors.js';
import type { TroubleReport } from '../../../../../src/shared/domain/trouble.js';
import { serverStatusSchema } from '../../../../../src/shared/protocol/control-commands.js';
import type { ToChild } from '../../../../../src/shared/protocol/ipc.js';
import type { NodeFigures } from '../../../../../src/shared/protocol/node-figures.js';
import { recordedLog } from '../../../../support/recorded-log.js';

const config = (env: 0 | 1): Config => ({ mode: 'm', env, system: {} }) as unknown as Config;
const SUMS = childStats({
  connections: 5,
  sessions: 4,
  accepted: 9,
  closed: 4,
  requests: 3,
  pushes: 2,
  acks: 1,
});
const own = new OwnFigures({
  run: '00000001',
  version: '1.2.3',
  versions: () => ['1.2.3', '1.3.0'],
  startedAt: Date.UTC(2026, 0, 2),
  nodeName: () => 'web1',
  maxLinkNumber: () => 123,
  askChildren: async () => {},
  sum: () => SUMS,
  workerNum: () => 2,
  taskNum: () => 1,
});

/** Another node, with twice the figures. */
function node(name: string, run: string): NodeFigures {
  const { connectionNum, ...figures } = own.of(SUMS);
  return { ...figures, node: name, run, connectionNum: 2 * connectionNum };
}

function peer(name: string, pendingCount: () => Promise<{ pending: number }>): AskedChild {
  return { name, peer: { call: pendingCount as AskedChild['peer']['call'] } };
}

const TROUBLES: TroubleReport = {
  now: [{ name: 'log', text: 'the disk is full', since: Date.UTC(2026, 0, 3), failures: 7 }],
  failures: { log: 9 },
};

function status(parts: { workers?: AskedChild[]; taskWorkers?: AskedChild[]; env?: 0 | 1 }) {
  const handler = serverStatus({
    config: () => config(parts.env ?? 0),
    crashLoops: () => ['spush.m.TaskWorker.1'],
    figures: own,
    versions: () => [{ version: '1.2.3', processes: ['Master'] }],
    listen: () => '0.0.0.0:9501',
    effectiveMaxLinks: () => 100,
    door: () => ({ accepted: 9, waiting: 0, refused: { full: 1, late: 2, kernel: 3, stopping: 0 } }),
    sums: async () => SUMS,
    troubles: async () => [{ process: 'spush.m.Master', report: TROUBLES }],
    workers: () => parts.workers ?? [],
    taskWorkers: () => parts.taskWorkers ?? [],
    log: recordedLog(),
  });
  return handler({}, () => {});
}

const silent = (): Promise<never> => Promise.reject(new SpushError('RPC_TIMEOUT', 'no answer'));

describe('server.status', () => {
  it('tells the figures of the node', async () => {
    const task = peer('t', async () => ({ pending: 77 }));
    const answer = await status({ workers: [peer('w', silent), peer('w', silent)], taskWorkers: [task] });
    expect(serverStatusSchema.parse(answer)).toEqual({
      mode: 'm',
      env: 0,
      pid: process.pid,
      version: '1.2.3',
      versions: [{ version: '1.2.3', processes: ['Master'] }],
      startTime: '2026-01-02T00:00:00.000Z',
      listen: '0.0.0.0:9501',
      maxLinkNumber: 123,
      effectiveMaxLinkNumber: 100,
      connectionNum: 5,
      sessionNum: 4,
      acceptCount: 9,
      doorRefusedCount: 6,
      closeCount: 4,
      requestCount: 3,
      pushCount: 2,
      ackCount: 1,
      pendingCount: 77,
      workerNum: 2,
      taskNum: 1,
      crashLoops: ['spush.m.TaskWorker.1'],
      warnings: [
        {
          process: 'spush.m.Master',
          trouble: 'log',
          text: 'the disk is full',
          since: '2026-01-03T00:00:00.000Z',
          failures: 7,
        },
      ],
    });
  });

  it('asks a Worker for what is pending when no TaskWorker is there', async () => {
    expect((await status({ workers: [peer('w', async () => ({ pending: 3 }))] })).pendingCount).toBe(3);
  });

  it('says null when nobody tells what is pending', async () => {
    expect((await status({ taskWorkers: [peer('t', silent)] })).pendingCount).toBeNull();
    expect((await status({})).pendingCount).toBeNull();
  });

  it('tells of each node and of all together, and names who was silent', async () => {
    const answer = await status({
      env: 1,
      workers: [
        worker(() => ({
          nodes: [node('web3', '3'), own.of(SUMS), node('web2', '2')],
          silent: ['web4-0000000d'],
        })),
      ],
    });
    const { nodes, total, silentNodes } = serverStatusSchema.parse(answer);
    expect(nodes?.map((each) => [each.node, each.connectionNum])).toEqual([
      ['web1', 5],
      ['web2', 10],
      ['web3', 10],
    ]);
    expect(total).toMatchObject({ connectionNum: 25, maxLinkNumber: 369, pushCount: 6, workerNum: 6 });
    expect(silentNodes).toEqual(['web4']);
    expect(answer.connectionNum).toBe(5);
  });

  it('tells nodes of one name apart', async () => {
    const others = [node('web1', '0000000a'), node('web2', '0000000b')];
    const workers = [worker(() => ({ nodes: others, silent: ['web2-0000000c'] }))];
    const { nodes, silentNodes } = await status({ env: 1, workers });
    expect(nodes?.map((each) => each.node)).toEqual(['web1-00000001', 'web1-0000000a', 'web2-0000000b']);
    expect(silentNodes).toEqual(['web2-0000000c']);
  });

  it('does not wait for a Worker that hangs when another one answers', async () => {
    const workers = [
      worker(() => new Promise(() => {})),
      worker(() => ({ nodes: [node('web2', '2')], silent: [] })),
    ];
    const { nodes } = await status({ env: 1, workers });
    expect(nodes).toHaveLength(2);
  });

  it('tells of its own node alone when no Worker can ask the others, and says so', async () => {
    for (const workers of [[], [peer('w', silent)]]) {
      const { nodes, total, silentNodes } = await status({ env: 1, workers });
      expect(nodes?.map((each) => each.node)).toEqual(['web1']);
      expect(total?.connectionNum).toBe(5);
      expect(silentNodes).toEqual(['other nodes: no Worker of this node answers']);
    }
  });
});

/** A Worker that asks other nodes. */
function worker(ask: () => Answer | Promise<Answer>): AskedChild {
  const call = async (name: string): Promise<unknown> => (name === 'nodes.figures' ? ask() : { pending: 0 });
  return { name: 'w', peer: { call: call as AskedChild['peer']['call'] } };
}
type Answer = ToChild['calls']['nodes.figures']['result'];
