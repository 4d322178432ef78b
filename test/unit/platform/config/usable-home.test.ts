import { chownSync, mkdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { refuseHomeOfOthers, rootWarning } from '../../../../src/platform/config/usable-home.js';
import { tempFolder } from '../../../support/temp-folder.js';

const PUSHER = { uid: 40_000, mayWrite: () => false };
const self = process.geteuid?.() ?? 0;

function homeIn(folder: string) {
  return { home: `${folder}/home`, temp: `${folder}/home/Temp` };
}

describe('a home', () => {
  test('of this user is right, there or not', () => {
    const paths = homeIn(tempFolder());
    expect(() => refuseHomeOfOthers(paths)).not.toThrow();
    mkdirSync(paths.temp, { recursive: true });
    expect(() => refuseHomeOfOthers(paths)).not.toThrow();
  });

  test('of another user is refused with both ways out', () => {
    const paths = homeIn(tempFolder());
    mkdirSync(paths.temp, { recursive: true });
    const owner = self === 0 ? 'root' : '';
    expect(() => refuseHomeOfOthers(paths, PUSHER)).toThrow(
      expect.objectContaining({
        code: 'CONTROL_NO_PERMISSION',
        message: expect.stringMatching(
          new RegExp(
            `^${paths.temp} belongs to ${owner}.*, and 40000 may not write there: (?:run the command as .*)?where the server is to run as 40000, as root: chown -R 40000 ${paths.home}$`,
          ),
        ),
      }),
    );
  });

  test('that its own user has closed is opened by its user', () => {
    const paths = homeIn(tempFolder());
    mkdirSync(paths.temp, { recursive: true });
    expect(() => refuseHomeOfOthers(paths, { ...PUSHER, uid: self })).toThrow(
      `may not write to ${paths.temp}: chmod u+rwx ${paths.temp}`,
    );
  });

  test('that cannot be made is refused with the command that makes it', () => {
    const folder = tempFolder();
    expect(() => refuseHomeOfOthers(homeIn(folder), PUSHER)).toThrow(
      `${folder}/home is not there, and 40000 may not make it in ${folder}: as root, install -d -m 0750 -o 40000 ${folder}/home; or`,
    );
  });
});

describe('root', () => {
  test('is warned in the home of another user, and in no other', () => {
    const paths = homeIn(tempFolder());
    expect(rootWarning(paths, { uid: 0 })).toBeNull();
    mkdirSync(paths.home);
    if (self === 0) {
      expect(rootWarning(paths, { uid: 0 })).toBeNull();
      chownSync(paths.home, 40_000, 40_000);
    }
    expect(rootWarning(paths, { uid: 0 })).toMatch(
      /a start as \S+ will be refused until chown -R \S+ \S+\/home$/,
    );
    expect(rootWarning(paths, { uid: 40_000 })).toBeNull();
  });
});
