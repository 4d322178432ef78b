/**
 * `server.status`: the figures of this node, the dead children's included; in PUSHENV 1 and 2 those of the other nodes
 * beside them. This node's are its own master's, at once; the others are asked over the bus, by a Worker, as the master
 * has no Redis, and are not waited for longer than 300 ms.
 */
import { nameIn } from '../../../platform/bus/bus-identity.js';
import type { Config } from '../../../platform/config/config-schema.js';
import type { Log } from '../../../platform/log/log.js';
import { errorText } from '../../../shared/base/errors.js';
import type { ProgramVersion, ServerStatus } from '../../../shared/protocol/control-commands.js';
import type { DoorCounts } from '../../../shared/protocol/door.js';
import type { ChildStats, ToChild } from '../../../shared/protocol/ipc.js';
import { addUp, type NodeFigures } from '../../../shared/protocol/node-figures.js';
import { warningsOf } from '../../../shared/protocol/node-troubles.js';
import type { ProcessTroubles } from '../../status/ask-troubles.js';
import type { OwnFigures } from '../../status/node-figures.js';
import { type AskedChild, askAWorker } from '../ask-a-worker.js';
import type { ControlHandler } from '../control-handlers.js';

const PENDING_DEADLINE_MS = 1000;
/** For other nodes, and for the Worker that asks them. */
const NODES_DEADLINE_MS = 250;
const ASKER_DEADLINE_MS = 300;
const NOBODY_ASKS = 'other nodes: no Worker of this node answers';

export interface ServerStatusDeps {
  readonly config: () => Config;
  /** Names of the processes that die again and again. */
  readonly crashLoops: () => string[];
  readonly listen: () => string;
  readonly effectiveMaxLinks: () => number;
  readonly door: () => DoorCounts;
  /** Asks all children, then adds up. */
  readonly sums: () => Promise<ChildStats>;
  readonly troubles: () => Promise<readonly ProcessTroubles[]>;
  readonly figures: Pick<OwnFigures, 'of'>;
  readonly versions: () => ProgramVersion[];
  readonly workers: () => readonly AskedChild[];
  readonly taskWorkers: () => readonly AskedChild[];
  readonly log: Log;
}

type Others = ToChild['calls']['nodes.figures']['result'];

export function serverStatus(deps: ServerStatusDeps): ControlHandler<'server.status'> {
  return async () => {
    const config = deps.config();
    const [sums, troubles, pendingCount, others] = await Promise.all([
      deps.sums(),
      deps.troubles(),
      countPending(deps),
      config.env === 0 ? null : askOthers(deps),
    ]);
    const own = deps.figures.of(sums);
    const { node: _node, run: _run, ...figures } = own;
    return {
      mode: config.mode,
      env: config.env,
      pid: process.pid,
      version: figures.version,
      versions: deps.versions(),
      startTime: figures.startTime,
      listen: deps.listen(),
      maxLinkNumber: figures.maxLinkNumber,
      effectiveMaxLinkNumber: deps.effectiveMaxLinks(),
      connectionNum: figures.connectionNum,
      sessionNum: figures.sessionNum,
      acceptCount: figures.acceptCount,
      doorRefusedCount: Object.values(deps.door().refused).reduce((sum, count) => sum + count, 0),
      closeCount: figures.closeCount,
      requestCount: figures.requestCount,
      pushCount: figures.pushCount,
      ackCount: figures.ackCount,
      pendingCount,
      workerNum: figures.workerNum,
      taskNum: figures.taskNum,
      crashLoops: deps.crashLoops(),
      warnings: troubles.flatMap(({ process: title, report }) => warningsOf(title, report)),
      ...(others === null ? {} : allNodes(own, others)),
    };
  };
}

/** This node first, the others by name. Names that two have are told apart by what is random of their start. */
function allNodes(
  own: NodeFigures,
  { nodes, silent }: Others,
): Pick<ServerStatus, 'nodes' | 'total' | 'silentNodes'> {
  const others = nodes.filter((node) => titleOf(node) !== titleOf(own));
  others.sort((a, b) => (titleOf(a) < titleOf(b) ? -1 : 1));
  const all = [own, ...others];
  const silentTitles = silent.filter((title) => title !== titleOf(own));
  const isOnly = (name: string): boolean => {
    const titles = [...all.map(titleOf), ...silentTitles];
    return titles.filter((title) => nameIn(title) === name).length <= 1;
  };
  return {
    nodes: all.map(({ run, ...row }) => ({
      ...row,
      node: isOnly(row.node) ? row.node : titleOf({ node: row.node, run }),
    })),
    total: addUp(all),
    silentNodes: silentTitles.map((title) => (isOnly(nameIn(title)) ? nameIn(title) : title)),
  };
}

function titleOf({ node, run }: Pick<NodeFigures, 'node' | 'run'>): string {
  return `${node}-${run}`;
}

async function askOthers({ workers, log }: ServerStatusDeps): Promise<Others> {
  const question = { name: 'nodes.figures', args: { deadlineMs: NODES_DEADLINE_MS } } as const;
  try {
    return await askAWorker(workers(), { ...question, deadlineMs: ASKER_DEADLINE_MS });
  } catch (error) {
    log.warn('status.nodesUnknown', { error: errorText(error) });
    return { nodes: [], silent: [NOBODY_ASKS] };
  }
}

/** Asked of a TaskWorker, so that no socket waits for it; of a Worker when there is none. */
async function countPending({ workers, taskWorkers, log }: ServerStatusDeps): Promise<number | null> {
  const asked = taskWorkers()[0] ?? workers()[0];
  if (!asked) return null;
  try {
    const { pending } = await asked.peer.call('pendingCount', {}, { deadlineMs: PENDING_DEADLINE_MS });
    return pending;
  } catch (error) {
    log.warn('status.pendingUnknown', { child: asked.name, error: errorText(error) });
    return null;
  }
}
