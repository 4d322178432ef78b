/**
 * Every spush process starts here. A word that only spush itself gives says the role: `child ROLE` for a process of the
 * master, `master` for a master in the background; everything else is the command line. Only the code of that role is
 * loaded.
 */
const [first, role] = process.argv.slice(2);
// Whoever types these words has no channel to a parent, and is told by the command line that it does not know them.
const spawned = process.send !== undefined;

// What reads our output, and who started us, may go at any moment; that ends nothing.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

if (spawned && first === 'child') process.exit(await runChild());
else if (spawned && first === 'master') await (await import('./entry/background.js')).runInBackground();
else await (await import('./entry/command-line.js')).runCommandLine();

async function runChild(): Promise<number> {
  (await import('./platform/program/held-build.js')).holdOwnBuild();
  switch (role) {
    case 'worker':
      return (await import('./worker/worker.js')).runWorker();
    case 'task':
      return (await import('./task/task.js')).runTask();
    case 'crontab':
      return (await import('./crontab/crontab.js')).runCrontab();
    default:
      throw new Error(`no process has the role ${role}`);
  }
}
