import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { serviceUnit, USUAL_PLACES } from '../../../src/cli/service-unit.js';
import { expectKeptFile } from '../../support/kept-file.js';
import { outsideProgram } from '../../support/outside-program.js';

const systemdAnalyze = outsideProgram('systemd-analyze', 'apt-get install systemd');

describe('the unit', () => {
  test('in deploy/ is the one of the usual places', () => {
    expectKeptFile('deploy/spush.service', serviceUnit(USUAL_PLACES));
  });

  test('keeps paths whole that mean something to systemd', () => {
    const unit = serviceUnit({ ...USUAL_PLACES, root: '/srv/50% $off', bin: '/srv/50% $off/bin/spush.js' });
    expect(unit).toContain('"/srv/50%% $$off/bin/spush.js" server start');
    expect(unit).toContain('Environment="SPUSH_ROOT=/srv/50%% $off"');
  });

  test('lets systemd make its folder below /var/lib only', () => {
    expect(serviceUnit(USUAL_PLACES)).toContain('StateDirectory=spush\n');
    expect(serviceUnit(USUAL_PLACES)).toContain('LogsDirectory=spush\n');
    const elsewhere = serviceUnit({ ...USUAL_PLACES, home: '/srv/push', log: '/srv/push/Log' });
    expect(elsewhere).not.toMatch(/StateDirectory=|LogsDirectory=|SPUSH_LOG/);
  });

  test('can reach an installation in a home folder', () => {
    expect(serviceUnit(USUAL_PLACES)).toContain('ProtectHome=yes\n');
    expect(serviceUnit({ ...USUAL_PLACES, root: '/home/a/spush' })).toContain('ProtectHome=read-only\n');
  });

  test.skipIf(systemdAnalyze === null)('is right for systemd, which finds it safe', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'spush-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = path.join(folder, 'spush.service');
    // Verify looks for the programs, so they must be those of this machine.
    const bin = path.resolve(import.meta.dirname, '../../../bin/spush.js');
    writeFileSync(file, serviceUnit({ ...USUAL_PLACES, node: process.execPath, bin }));
    const analyze = (...args: string[]) =>
      spawnSync(systemdAnalyze ?? '', [...args, file], { encoding: 'utf8' });

    const verified = analyze('verify', '--man=no');
    expect([verified.status, verified.stderr]).toEqual([0, '']);
    const { stdout } = analyze('security', '--offline=true', '--no-pager');
    const level = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1]);
    expect(level, stdout).toBeLessThanOrEqual(2.5);
  });
});
