/** One of several nodes of a site, which says what it needs to know in `env` (see own-site.ts). */
import { Daemon } from './daemon.js';
import { SITE_KEY } from './own-site.js';

export function startNode(env: Readonly<Record<string, string>>): Promise<Daemon> {
  return Daemon.start({ env: { SPUSH_WORKER_NUM: '2', SPUSH_TASK_WORKER_NUM: '1', ...env }, key: SITE_KEY });
}
