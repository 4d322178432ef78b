/** Whether this process may become a master. It starts its Workers with node:cluster, which a worker of another cluster cannot. */
import cluster from 'node:cluster';
import { SpushError } from '../shared/base/errors.js';

/** @throws SpushError USAGE */
export function refuseInForeignCluster(): void {
  if (!cluster.isWorker) return;
  throw new SpushError(
    'USAGE',
    'spush cannot run as a worker of another program’s node:cluster (pm2: -i, instances or exec_mode cluster), as it starts its own Workers, one per core: with pm2 use the fork mode, one instance (pm2 start bin/spush.js --name spush -- server start), or better systemd (spush service print)',
  );
}
