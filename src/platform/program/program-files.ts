/**
 * Where the files of this program are. A build is a folder of its own, dist/<id>/, in which all files lie side by side, and
 * the file dist/current names the newest one; see build.mjs. A process loads everything from the build that it was started from.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(import.meta.url);

/** What is started as a process or as a thread, by its name in the build. */
export type ProgramFile = 'main' | 'store-thread' | 'watchdog-thread' | 'read-again-thread';

/** The package's own folder: holds package.json, bootstrap.ts and conf/ as shipped. */
export const PACKAGE_ROOT = packageRootOf(HERE);

/** Path of a file of the build that this process runs from; for tests, which run from src/, of the newest build. */
export function programFile(name: ProgramFile, here = HERE): string {
  const folder = here.endsWith('.ts') ? newestBuild(packageRootOf(here)) : dirname(here);
  return join(folder, `${name}.js`);
}

/**
 * The program that a command of this path starts now. The path may lead over links (`/opt/spush/current`, a link in
 * /usr/local/bin), each of which may have been moved since it was followed last.
 *
 * @param launchPath the executable as it was called, e.g. `/opt/spush/current/bin/spush.js`
 * @returns the main file of the newest build there, with all links followed
 * @throws what the file system says of a link that leads nowhere, a folder without a build, or one that is not ours to read
 */
export function programOf(launchPath: string): string {
  // Node also takes `bin/spush` for it.
  const executable = existsSync(launchPath) ? launchPath : `${launchPath}.js`;
  return realpathSync(join(newestBuild(packageRootOf(realpathSync(executable))), 'main.js'));
}

function newestBuild(root: string): string {
  return join(root, 'dist', readFileSync(join(root, 'dist', 'current'), 'utf8').trim());
}

function packageRootOf(file: string): string {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'bin', 'spush.js'))) return folder;
    if (dirname(folder) === folder) throw new Error(`${file} is not in a folder of spush`);
  }
}
