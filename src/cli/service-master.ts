/**
 * Whether a running master belongs to systemd. A restart by hand would start a server that systemd knows nothing of: it is not
 * started again when it dies or the machine boots, and the next `systemctl start` finds the mode taken.
 */
import { readFile } from 'node:fs/promises';
import { SpushError } from '../shared/base/errors.js';

/** @throws SpushError USAGE */
export async function refuseServiceMaster(pid: number): Promise<void> {
  const environment = await readProc(pid, 'environ');
  if (!/(?:^|\0)NOTIFY_SOCKET=[^\0]/.test(environment)) return;
  const [, unit = 'spush.service'] = /\/([^/\n]+\.service)$/m.exec(await readProc(pid, 'cgroup')) ?? [];
  const name = unit.replace(/\.service$/, '');
  throw new SpushError(
    'USAGE',
    `the running server, pid ${pid}, was started by systemd: systemctl restart ${name} keeps it so. Nothing was stopped. To take it from systemd: systemctl stop ${name}, then spush server start -d`,
  );
}

/** Empty: it has ended, or is of another user, whom the stop will name. */
async function readProc(pid: number, file: 'environ' | 'cgroup'): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return '';
    throw error;
  }
}
