/** A restart asks of every server that runs whether it is systemd's, also of one that does not answer. */
import { mkdirSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { pathsOf } from '../../../src/platform/config/config-paths.js';
import { identityOf } from '../../../src/platform/instance/process-identity.js';
import { SpushError } from '../../../src/shared/base/errors.js';
import { cliWorld } from '../../support/cli-world.js';
import { type Manner, startFakeMaster } from '../../support/fake-master.js';

// In a test no process is in the cgroup of a service.
vi.mock('../../../src/cli/service-master.js', () => ({
  refuseServiceMaster: (pid: number) => Promise.reject(new SpushError('USAGE', `pid ${pid} is systemd's`)),
}));

test.each<Manner>(['obedient', 'mute'])('a %s server of systemd is left alone', async (manner) => {
  const world = cliWorld({ patience: { answerMs: 200 } });
  const paths = pathsOf({ root: world.root, home: world.root, mode: 'websocket' });
  mkdirSync(paths.temp);
  const { pid } = await startFakeMaster(paths, manner);
  const { exitCode, stderr } = await world.run('server', 'restart');
  expect([exitCode, stderr]).toEqual([2, `pid ${pid} is systemd's\n`]);
  expect(await identityOf(pid)).not.toBeNull();
});
