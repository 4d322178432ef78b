import { defineConfig } from 'vitest/config';
import { outsideProgram } from './support/outside-program.js';
import { SlowFiles } from './support/slow-files.js';

/** The same tests against PUSHENV 1; those of `npm run test:env1`, and what is run each time. */
const ENV1_ALL = [
  'push',
  'any-message',
  'bad-input',
  'idle',
  'max-links',
  'gzcp',
  'ready',
  'crontab',
  'kill',
  'child-kill',
  'handoff',
];
const ENV1_SHORT = ['push', 'any-message'];
const env1 = process.env['SPUSH_TEST_PUSHENV'] === '1' ? ENV1_ALL : ENV1_SHORT;
const servers = [
  outsideProgram(
    'mariadbd',
    'apt-get install mariadb-server (only the program is used, the service may stay off)',
  ),
  outsideProgram('redis-server', 'apt-get install redis-server'),
];
const hasServers = servers.every((program) => program !== null);

/** What loses, doubles or closes nothing has one try. The others hold real processes to seconds: see `run.mjs`. */
const ONE_TRY = [
  'kill',
  'child-kill',
  'handoff',
  'handoff-faults',
  'push',
  'any-message',
  'spill',
  'spill-store',
  'mysql-store-faults',
  'mysql-store-failover',
  'sweep-cost',
  'keep-alive',
].map((name) => `test/integration/${name}.test.ts`);

const integration = {
  globalSetup: ['test/support/build-program.ts', 'test/support/run-site.ts'],
  fileParallelism: false,
  testTimeout: 120_000,
  hookTimeout: 60_000,
};

/** Where `run.mjs` reads them. */
const answers = process.env['SPUSH_TEST_ANSWERS'];
const json: ['json', { outputFile: string }][] =
  answers === undefined ? [] : [['json', { outputFile: answers }]];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    passWithNoTests: !hasServers,
    reporters: ['default', new SlowFiles(), ...json],
    // Integration tests start real processes on a small machine: one file at a time keeps their timings honest.
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/contract/**/*.test.ts'],
          testTimeout: 60_000,
          globalSetup: ['test/support/build-program.ts'],
        },
      },
      {
        test: {
          name: 'integration',
          include: ONE_TRY,
          ...integration,
        },
      },
      {
        test: {
          name: 'timed',
          include: ['test/integration/**/*.test.ts'],
          exclude: ONE_TRY,
          ...integration,
        },
      },
      {
        test: {
          name: 'env1',
          include: hasServers ? env1.map((name) => `test/integration/${name}.test.ts`) : [],
          ...integration,
        },
      },
    ],
  },
});
