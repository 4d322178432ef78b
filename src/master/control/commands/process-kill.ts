/** `process.kill`: ends processes so that new ones take their place, and says which are the new ones. Exact matches only. */
import { SpushError } from '../../../shared/base/errors.js';
import { didYouMean } from '../../../shared/base/nearest.js';
import { childGroup, SPAWNED_ROLES, shortGroup } from '../../../shared/domain/role.js';
import type { ControlArgs } from '../../../shared/protocol/control-commands.js';
import type { Child } from '../../supervisor/child.js';
import {
  type EndedProcess,
  type EndProcessDeps,
  killProcess,
  replaceProcess,
} from '../../supervisor/end-process.js';
import type { OneAtATime } from '../../supervisor/one-at-a-time.js';
import type { Slot } from '../../supervisor/slot.js';
import { type ControlHandler, progressTo } from '../control-handlers.js';

export interface ProcessKillDeps extends EndProcessDeps {
  readonly mode: string;
  readonly slots: () => readonly Slot[];
  /** Every process of this place, the one that has it first. */
  readonly childrenOf: (slot: Slot) => readonly Child[];
  readonly replacing: OneAtATime;
}

type Args = ControlArgs<'process.kill'>;
interface Target {
  readonly slot: Slot;
  readonly child: Child;
}

export function processKill(deps: ProcessKillDeps): ControlHandler<'process.kill'> {
  return async (args, progress) => {
    const targets = targetsOf(deps, args);
    const options = { reason: 'process kill', progress: progressTo(progress) };
    const ended = args.force
      ? await Promise.all(targets.map((target) => killProcess(deps, target, options)))
      : await deps.replacing.run('process kill', async () => {
          const replaced: EndedProcess[] = [];
          for (const target of targets) replaced.push(await replaceProcess(deps, target, options));
          return replaced;
        });
    const processes = ended.map(({ slot, child, signal, newPid, moved }) => ({
      pid: child.pid ?? 0,
      name: slot.name,
      group: childGroup(deps.mode, slot.role),
      option: signal,
      newPid,
      kept: moved?.kept ?? null,
      closed: moved?.closed ?? null,
      longestPauseMs: moved ? Math.round(moved.longestPauseMs * 10) / 10 : null,
    }));
    return { processes };
  };
}

function targetsOf(deps: ProcessKillDeps, { pid, group, all, force }: Args): Target[] {
  const given = [pid, group, all].filter((value) => value !== undefined);
  if (given.length !== 1) {
    throw new SpushError('CONTROL_BAD_REQUEST', 'process.kill takes one of pid, group and all');
  }
  // Who is ending already, or is not ready yet, can only be killed.
  const candidates = deps
    .slots()
    .flatMap((slot) =>
      (force ? deps.childrenOf(slot) : slot.child ? [slot.child] : []).map((child) => ({ slot, child })),
    )
    .filter(({ child }) => child.pid !== null);
  const targets = candidates.filter(
    ({ slot, child }) => all || child.pid === pid || (group !== undefined && isGroup(deps, slot, group)),
  );
  if (targets.length > 0) return targets;
  if (pid === process.pid) {
    throw new SpushError(
      'PROCESS_UNKNOWN',
      `${pid} is the master, which takes the whole server with it: use spush server stop or restart`,
    );
  }
  const changing = deps.slots().flatMap((slot) => deps.childrenOf(slot));
  if (pid !== undefined && changing.some((child) => child.pid === pid)) {
    throw new SpushError(
      'PROCESS_UNKNOWN',
      `${pid} is being replaced, or is taking the place of another: wait, or kill it with -f`,
    );
  }
  throw unknownProcess(deps, candidates, { pid, group });
}

function isGroup({ mode }: ProcessKillDeps, { role }: Slot, group: string): boolean {
  return group === shortGroup(role) || group === childGroup(mode, role);
}

function unknownProcess(
  { mode }: ProcessKillDeps,
  candidates: readonly Target[],
  { pid, group }: Pick<Args, 'pid' | 'group'>,
): SpushError {
  const there = candidates.map(({ slot, child }) => `${child.pid} ${slot.name}`).join(', ') || 'nothing';
  if (pid !== undefined) {
    return new SpushError('PROCESS_UNKNOWN', `no process of this server has pid ${pid}; there are: ${there}`);
  }
  if (group === undefined) return new SpushError('PROCESS_UNKNOWN', 'no process runs besides the master');
  const short = SPAWNED_ROLES.map(shortGroup);
  const full = SPAWNED_ROLES.map((role) => childGroup(mode, role));
  if ([...short, ...full].includes(group)) {
    return new SpushError('PROCESS_UNKNOWN', `no process of group ${group} runs now; there are: ${there}`);
  }
  const near = didYouMean(group, group.startsWith('spush.') ? full : short);
  return new SpushError(
    'PROCESS_UNKNOWN',
    `${group} is not a group of this server.${near} Groups: ${short.join(', ')}`,
  );
}
