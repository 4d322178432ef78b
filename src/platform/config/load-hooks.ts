/**
 * The jobs and tasks of bootstrap.ts, for the processes that run them. Most installations have none; then the file is not read
 * again, and neither it nor a compiler for it is held in memory.
 */
import { join } from 'node:path';
import type { Hooks } from './bootstrap-hooks.js';
import { configInvalid } from './config-fault.js';
import { readModule } from './config-file.js';

export const NO_HOOKS: Hooks = { jobs: [], tasks: [] };

interface LoadHooks {
  /** SPUSH_ROOT. */
  readonly root: string;
  /** In which the rules of jobs are meant; null: that of the machine. */
  readonly timeZone: string | null;
  /** Whether there were some when the configuration was loaded. */
  readonly hasHooks: boolean;
}

/** Throws CONFIG_INVALID with every fault. */
export async function loadHooks({ root, timeZone, hasHooks }: LoadHooks): Promise<Hooks> {
  if (!hasHooks) return NO_HOOKS;
  const file = join(root, 'bootstrap.ts');
  const module = await readModule(file);
  if (module.state === 'missing') return NO_HOOKS;
  if (module.state === 'faulty') throw configInvalid([module.fault]);
  const { checkHooks } = await import('./bootstrap-hooks.js');
  const { hooks, faults } = checkHooks(file, module.exports, timeZone);
  if (faults.length > 0) throw configInvalid(faults);
  return hooks;
}
