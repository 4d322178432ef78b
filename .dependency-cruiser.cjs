// The import table of docs/ARCHITECTURE.md: shared <- platform <- process folders <- entry, main.ts.
const processes = ['master', 'worker', 'task', 'crontab', 'cli'];
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'shared-imports-shared-only',
      severity: 'error',
      from: { path: '^src/shared/' },
      to: { path: '^src/', pathNot: '^src/shared/' },
    },
    {
      name: 'shared-runs-anywhere',
      comment: 'shared runs in browsers too: no node: modules',
      severity: 'error',
      from: { path: '^src/shared/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'shared-base-below-domain',
      severity: 'error',
      from: { path: '^src/shared/base/' },
      to: { path: '^src/shared/(domain|protocol)/' },
    },
    {
      name: 'shared-domain-below-protocol',
      severity: 'error',
      from: { path: '^src/shared/domain/' },
      to: { path: '^src/shared/protocol/' },
    },
    {
      name: 'platform-below-processes',
      severity: 'error',
      from: { path: '^src/platform/' },
      to: { path: `^src/(${processes.join('|')}|entry|main\\.ts)` },
    },
    ...processes.map((name) => ({
      name: `${name}-is-its-own-process`,
      severity: 'error',
      from: { path: `^src/${name}/` },
      to: { path: `^src/(${processes.filter((other) => other !== name).join('|')}|entry|main\\.ts)` },
    })),
    {
      name: 'sdk-and-web-import-shared-only',
      severity: 'error',
      from: { path: '^src/(sdk|web)/' },
      to: { path: '^src/', pathNot: '^src/(sdk|web|shared)/' },
    },
    {
      name: 'no-barrels',
      severity: 'error',
      from: {},
      to: { path: '^src/.*/index\\.ts$' },
    },
    {
      name: 'no-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'], mainFields: ['module', 'main'] },
  },
};
