/** A release that is removed takes the files of the threads with it, which a server starts as long as it runs. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { goneProgram } from '../../../../src/platform/program/program-thread.js';
import { tempFolder } from '../../../support/temp-folder.js';

test('a program that was removed is told, with where it was', () => {
  const folder = tempFolder({ 'read-again-thread.js': '' });
  const here = path.join(folder, 'chunk.js');
  expect(goneProgram('read-again-thread', here)).toBe(null);
  rmSync(folder, { recursive: true });
  expect(goneProgram('read-again-thread', here)).toBe(
    `the program that it runs is no longer in ${folder}; a restart takes the one that is there now`,
  );
});
