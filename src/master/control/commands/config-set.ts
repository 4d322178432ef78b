/**
 * `config.set`: one live key for the whole node, at once, until the next reload says otherwise. For WorkerNum, Workers are
 * started or ended first; when that fails nothing has changed.
 */
import { setLiveKey } from '../../../platform/config/config-change.js';
import type { Config } from '../../../platform/config/config-schema.js';
import type { Log } from '../../../platform/log/log.js';
import type { LiveConfig } from '../../live-config.js';
import type { OneAtATime } from '../../supervisor/one-at-a-time.js';
import type { WorkerCount } from '../../supervisor/worker-count.js';
import { type ControlHandler, progressTo } from '../control-handlers.js';

export interface ConfigSetDeps {
  readonly live: LiveConfig;
  readonly configuring: OneAtATime;
  readonly replacing: OneAtATime;
  readonly workerCount: Pick<WorkerCount, 'now' | 'change'>;
  /** In words, when fewer connections fit than the configuration says; null when all do. */
  readonly shortage: (config: Config) => string | null;
  readonly log: Log;
}

export function configSet(deps: ConfigSetDeps): ControlHandler<'config.set'> {
  const { live, configuring, replacing, workerCount, log } = deps;
  return ({ key, value }, progress) =>
    configuring.run(`config set ${key}`, async () => {
      const { config, before, after } = await setLiveKey(live.current, key, value);
      const workers = config.system.WorkerNum;
      if (key === 'WorkerNum' && workers !== workerCount.now) {
        await replacing.run(`config set ${key}`, () => workerCount.change(workers, progressTo(progress)));
      }
      live.setKey(key, config);
      log.info('config.set', { key, before: JSON.stringify(before), after: JSON.stringify(after) });
      return { key, before, after, warning: key === 'MaxLinkNumber' ? deps.shortage(config) : null };
    });
}
