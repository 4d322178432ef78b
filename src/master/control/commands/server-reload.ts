/**
 * `server.reload`: reads the configuration again, lets its live keys count at once, and puts a new Worker in the place of
 * each, one after the other; it gets the connections of the old one. A faulty configuration changes nothing; a new Worker
 * that does not come up, or does not take the connections, ends the reload there, and the configuration goes back to what it
 * was.
 */
import { type ConfigChange, changeConfig } from '../../../platform/config/config-change.js';
import type { Config } from '../../../platform/config/config-schema.js';
import type { Log } from '../../../platform/log/log.js';
import { type Notifier, silentNotifier } from '../../../platform/notify/notifier.js';
import { type Clock, msSince } from '../../../shared/base/clock.js';
import { errorText, isSpushError, SpushError } from '../../../shared/base/errors.js';
import { shortGroup } from '../../../shared/domain/role.js';
import { addMoved, type Moved, movedText, NOTHING_MOVED } from '../../handoff/moved.js';
import type { LiveConfig } from '../../live-config.js';
import type { OneAtATime } from '../../supervisor/one-at-a-time.js';
import type { ReplaceProgress, Replacer } from '../../supervisor/replace.js';
import type { Slot } from '../../supervisor/slot.js';
import type { WorkerCount } from '../../supervisor/worker-count.js';
import { type ControlHandler, type Progress, progressTo } from '../control-handlers.js';

export interface ServerReloadDeps {
  readonly live: LiveConfig;
  /** Loads the configuration as the start did; throws CONFIG_INVALID with all faults. */
  readonly load: () => Promise<Config>;
  readonly workers: () => readonly Slot[];
  readonly replacer: Pick<Replacer, 'replace'>;
  readonly workerCount: Pick<WorkerCount, 'now' | 'change'>;
  /** Certificate files are read again. */
  readonly rereadTls: () => void;
  readonly replacing: OneAtATime;
  readonly configuring: OneAtATime;
  readonly clock: Pick<Clock, 'moment'>;
  readonly log: Log;
  /** The service manager is told that a reload has begun, and that it is over. */
  readonly notifier?: Pick<Notifier, 'reloading' | 'ready'>;
}

export function serverReload(deps: ServerReloadDeps): ControlHandler<'server.reload'> {
  const { live, load, rereadTls, replacing, configuring, clock, log, notifier = silentNotifier } = deps;

  async function reload(progress: Progress) {
    const begunAt = clock.moment();
    const before = live.current;
    const change = changeConfig(before, await load());
    const { applied, notApplied } = change;
    progress({ text: changeText(change), detail: { applied, notApplied } });
    log.info('reload.begun', { applied: applied.join(', '), notApplied: notApplied.join(', ') });
    if (applied.length > 0) live.change(change.config);
    rereadTls();
    const workersBefore = deps.workerCount.now;
    try {
      const { workers, moved } = await renewWorkers(deps, change.config.system.WorkerNum, progress);
      const seconds = Math.round(msSince(clock, begunAt) / 10) / 100;
      const { kept, closed, closedBy, longestPauseMs } = moved;
      log.info('reload.done', { workers, kept, closed, longestPauseMs, seconds });
      return {
        workers,
        kept,
        closed,
        closedBy: { ...closedBy },
        seconds,
        longestPauseMs: Math.round(longestPauseMs * 10) / 10,
        applied: [...applied],
        notApplied: [...notApplied],
      };
    } catch (error) {
      log.error('reload.failed', { error: errorText(error) });
      live.change(before);
      await backTo(deps, workersBefore, progress);
      throw error;
    }
  }

  async function toldReload(progress: Progress) {
    notifier.reloading();
    try {
      return await reload(progress);
    } finally {
      notifier.ready();
    }
  }

  return (_args, progress) =>
    replacing.run('a reload', () => configuring.run('a reload', () => toldReload(progress)));
}

interface Renewed {
  /** Workers that were replaced. */
  readonly workers: number;
  readonly moved: Moved;
}

/** Fewer Workers first, so that none is replaced that goes anyway; more of them last, when the others have come up. */
async function renewWorkers(deps: ServerReloadDeps, count: number, progress: Progress): Promise<Renewed> {
  const { workerCount } = deps;
  const tell = progressTo(progress);
  const fewer = workerCount.now > count ? await workerCount.change(count, tell) : NOTHING_MOVED;
  const { workers, moved } = await replaceWorkers(deps, progress, tell);
  if (workerCount.now < count) await workerCount.change(count, tell);
  return { workers, moved: addMoved(fewer, moved) };
}

async function replaceWorkers(
  { workers, replacer }: ServerReloadDeps,
  progress: Progress,
  tell: ReplaceProgress,
): Promise<Renewed> {
  const slots = workers();
  let done = 0;
  let moved = NOTHING_MOVED;
  for (const slot of slots) {
    try {
      const replaced = await replacer.replace(slot, 'server reload', tell);
      const { kept, closed, longestPauseMs } = replaced;
      done += 1;
      moved = addMoved(moved, replaced);
      progress({
        text: `${shortGroup(slot.role)}.${slot.index} replaced (${done}/${slots.length}): ${movedText(replaced)}`,
        detail: { pid: replaced.child.pid, kept, closed, longestPauseMs },
      });
    } catch (error) {
      if (!isSpushError(error)) throw error;
      const said = `${error.message}; ${done} of ${slots.length} Workers were replaced, the configuration is what it was`;
      throw new SpushError(error.code, said, { cause: error });
    }
  }
  return { workers: done, moved };
}

/** The reason of the failure counts, not that of the way back. */
async function backTo(
  { workerCount, log }: ServerReloadDeps,
  count: number,
  progress: Progress,
): Promise<void> {
  if (workerCount.now === count) return;
  try {
    await workerCount.change(count, progressTo(progress));
  } catch (error) {
    log.error('workers.notBack', { workers: workerCount.now, before: count, error: errorText(error) });
  }
}

function changeText({ applied, notApplied }: ConfigChange): string {
  const now =
    applied.length === 0
      ? 'no live key has changed'
      : `${applied.join(', ')} ${applied.length === 1 ? 'counts' : 'count'} now`;
  const later = notApplied.length === 0 ? '' : `; needs a restart: ${notApplied.join(', ')}`;
  return `configuration read: ${now}${later}`;
}
