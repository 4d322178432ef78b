/**
 * All tests, as `npm test` runs them; arguments go to vitest.
 *
 * Tests of the project `timed` hold real servers and processes to seconds, on a machine that may stand still for some. In CI a
 * file of theirs that fails is run once more, from its beginning and alone, and named; a second failure stands. Tests of what
 * loses, doubles or closes nothing are in other projects and have one try.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '..');
const VITEST = path.join(
  path.dirname(createRequire(import.meta.url).resolve('vitest/package.json')),
  'vitest.mjs',
);
const folder = mkdtempSync(path.join(tmpdir(), 'spush-tests-'));
const answers = path.join(folder, 'answers.json');

try {
  process.exitCode = run();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function run() {
  const status = vitest(process.argv.slice(2));
  if (status === 0 || !process.env.CI || !existsSync(answers)) return status;
  const failed = failedFiles();
  // Errors outside of any test have one try too, and so have exceptions in a process and tests that hang.
  if (failed.length === 0 || hasFinal()) return status;
  console.log(`\nThe second try of ${failed.join(', ')}: alone, on a machine that has grown quiet\n`);
  // With the project named, a file of any other one is not run, and so remains a failure.
  const again = vitest(['--project', 'timed', ...failed]);
  if (again !== 0 || hasFinal()) return again || status;
  const passed = new Set(readAnswers().map(({ name }) => path.relative(ROOT, name)));
  const left = failed.filter((file) => !passed.has(file));
  console.log(`\nPassed at the second try: ${[...passed].join(', ')}`);
  for (const file of left) console.log(`Failed, and has one try: ${file}`);
  return left.length === 0 ? 0 : status;
}

function vitest(args) {
  const { status } = spawnSync(
    process.execPath,
    [VITEST, 'run', '--config', 'test/vitest.config.ts', '--root', '.', ...args],
    { cwd: ROOT, stdio: 'inherit', env: { ...process.env, SPUSH_TEST_ANSWERS: answers } },
  );
  return status ?? 1;
}

/** What the tests noted as failed for good (`support/no-second-try.ts`). */
function hasFinal() {
  const file = `${answers}.final`;
  if (!existsSync(file)) return false;
  console.log(`\nFailed for good: ${readFileSync(file, 'utf8')}`);
  return true;
}

function failedFiles() {
  const files = readAnswers().filter(({ status }) => status !== 'passed');
  return [...new Set(files.map(({ name }) => path.relative(ROOT, name)))];
}

function readAnswers() {
  return JSON.parse(readFileSync(answers, 'utf8')).testResults;
}
