/**
 * Whether a running master belongs to systemd. A restart by hand would start a server that systemd knows nothing of: it is not
 * started again when it dies or the machine boots, and the next `systemctl start` finds the mode taken.
 */
import { readFile } from 'node:fs/promises';
import { unlessGone } from '../platform/instance/proc-files.js';
import { SpushError } from '../shared/base/errors.js';

/** @throws SpushError USAGE. Of one that has ended, or is of another user, the stop says so. */
export async function refuseServiceMaster(pid: number, proc = '/proc'): Promise<void> {
  const read = async (file: 'environ' | 'cgroup'): Promise<string> =>
    (await unlessGone(readFile(`${proc}/${pid}/${file}`, 'utf8'))) ?? '';
  if (!/(?:^|\0)NOTIFY_SOCKET=[^\0]/.test(await read('environ'))) return;
  // The variable is inherited by whatever is typed inside a service or a container; the cgroup is the unit's own.
  const [, name] = /\/([^/\n]+)\.service$/m.exec(await read('cgroup')) ?? [];
  if (name === undefined) return;
  throw new SpushError(
    'USAGE',
    `the running server, pid ${pid}, was started by systemd: systemctl restart ${name} keeps it so. Nothing was stopped. To take it from systemd: systemctl stop ${name}, then spush server start -d`,
  );
}
