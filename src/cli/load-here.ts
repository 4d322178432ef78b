/** The configuration of this shell for commands that have something to say also where it is faulty. */
import { type LoadedConfig, type LoadOptions, loadConfig } from '../platform/config/load-config.js';
import { isSpushError, type SpushError } from '../shared/base/errors.js';

export type Here =
  | { readonly loaded: LoadedConfig; readonly fault: null }
  | { readonly loaded: null; readonly fault: SpushError };

export async function loadHere(options: LoadOptions): Promise<Here> {
  try {
    return { loaded: await loadConfig(options), fault: null };
  } catch (error) {
    if (!isSpushError(error, 'CONFIG_INVALID')) throw error;
    return { loaded: null, fault: error };
  }
}
