/** The master's code is loaded only where a master runs. */
import { readServiceManager } from '../platform/config/service-manager.js';
import type { RunMasterOptions } from '../platform/instance/run-master.js';

export async function runMaster(options: RunMasterOptions): Promise<number> {
  const { runMaster } = await import('../master/master.js');
  return runMaster(options, { serviceManager: readServiceManager(process.env, process.pid) });
}
