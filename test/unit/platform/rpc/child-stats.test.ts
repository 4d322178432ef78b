/** What a process counts is told also when it has no descriptor left. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { RUN_SOURCES, sourceFile } from '../../../support/run-sources.js';

test('the counts of a process need no file', () => {
  const code = `
    import { openSync } from 'node:fs';
    import { childStats } from '${sourceFile('platform/rpc/child-stats.ts')}';
    import { MemoryWatch } from '${sourceFile('worker/memory-watch.ts')}';
    try { for (;;) openSync('/dev/null', 'r'); } catch {}
    let thrown = null;
    try { process.memoryUsage(); } catch ({ code }) { thrown = code; }
    const watch = new MemoryWatch({ limitBytes: () => 1, lookMs: 10, peer: { note() {} } });
    watch.start();
    setTimeout(() => {
      console.log(JSON.stringify({ thrown, heap: childStats({}).heapUsedBytes > 0 }));
      process.exit();
    }, 100);
  `;
  const command = `ulimit -n 64; exec "$0" ${RUN_SOURCES.join(' ')} --input-type=module -e "$1"`;
  const output = execFileSync('sh', ['-c', command, process.execPath, code], { encoding: 'utf8' });
  expect(JSON.parse(output)).toEqual({ thrown: 'EMFILE', heap: true });
});
