import { expect, test } from 'vitest';
import { programVersion } from '../../../../src/platform/program/program-version.js';

test('the build is the folder that the program was started from', () => {
  expect(programVersion('0.1.0', '/opt/spush/dist/c922f45432f9/chunk-ABC.js')).toBe('0.1.0+c922f45432f9');
});

test('where no build runs the version stands alone', () => {
  expect(programVersion('0.1.0', '/opt/spush/src/platform/program/program-version.ts')).toBe('0.1.0');
});
