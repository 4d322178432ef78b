/** Which servers are systemd's, by a /proc made for the test. */
import { describe, expect, test } from 'vitest';
import { refuseServiceMaster } from '../../../src/cli/service-master.js';
import { tempFolder } from '../../support/temp-folder.js';

const NOTIFIED = 'PATH=/bin\0NOTIFY_SOCKET=/run/systemd/notify\0';

function refuse(environ: string, cgroup: string): Promise<void> {
  return refuseServiceMaster(42, tempFolder({ '42/environ': environ, '42/cgroup': cgroup }));
}

describe('a running server', () => {
  test.each([
    ['one hierarchy', '0::/system.slice/push-night.service\n'],
    ['several', '2:cpu:/\n1:name=systemd:/system.slice/push-night.service\n0::/\n'],
  ])('in the cgroup of a service that is notified is of systemd: %s', async (_, cgroup) => {
    await expect(refuse(NOTIFIED, cgroup)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining(
        'pid 42, was started by systemd: systemctl restart push-night keeps it so',
      ),
    });
  });

  test.each([
    ['a container', '0::/\n'],
    ['a login', '0::/user.slice/user-1000.slice/session-3.scope\n'],
    ['a folder below a service', '0::/user.slice/user@1000.service/app.slice/terminal.scope\n'],
  ])('that has only inherited the variable is started by hand: in %s', async (_, cgroup) => {
    await expect(refuse(NOTIFIED, cgroup)).resolves.toBeUndefined();
  });

  test('that is not notified is started by hand, and so is one that has ended', async () => {
    await expect(refuse('PATH=/bin\0NOTIFY_SOCKET=\0', '0::/a.service\n')).resolves.toBeUndefined();
    await expect(refuseServiceMaster(42, tempFolder())).resolves.toBeUndefined();
  });
});
