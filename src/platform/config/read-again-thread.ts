/** The thread that reads the configuration once, says what it has read, and is ended. */
import { parentPort, workerData } from 'node:worker_threads';
import { errorText, isSpushError } from '../../shared/base/errors.js';
import type { ConfigFault } from './config-fault.js';
import { onReading } from './config-file.js';
import { loadConfig } from './load-config.js';
import { toCopy } from './loaded-copy.js';
import type { ReadAgainData, ReadAgainMessage } from './read-again.js';

// A thread may not change these, and Node refuses it; a file that a start can read must not be refused here for that.
process.chdir = () => {};
const umask = process.umask.bind(process);
process.umask = () => umask();

async function read({ options }: ReadAgainData): Promise<ReadAgainMessage> {
  try {
    return { t: 'loaded', copy: toCopy(await loadConfig(options)) };
  } catch (error) {
    if (!isSpushError(error, 'CONFIG_INVALID')) return { t: 'failed', text: errorText(error) };
    return { t: 'refused', faults: error.detail['faults'] as ConfigFault[] };
  }
}

const say = (message: ReadAgainMessage): void => parentPort?.postMessage(message);
onReading((file) => say({ t: 'reading', file }));
say(await read(workerData as ReadAgainData));
