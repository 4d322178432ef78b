/**
 * Builds the program: the sources and what they import of node_modules/ become a few files in dist/<id>/, where <id> says
 * what is in them, and the file dist/current holds that <id>; no link, which `npm pack` and some file systems leave out.
 * Files that a running server has loaded are never changed; it takes the new ones with its next reload or restart. An older
 * build is current again after a build of its sources. Types are not checked here (`npm run check` does).
 */
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import {
  chmod,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  utimes,
} from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = import.meta.dirname;
const DIST = path.join(ROOT, 'dist');
const CURRENT = path.join(DIST, 'current');
/** Builds that stay, with the newest, and besides those that are in use. */
const KEPT = 5;

const FOLDER_MODE = 0o755;
const FILE_MODE = 0o644;

class BuildFailed extends Error {}

const options = {
  absWorkingDir: ROOT,
  entryPoints: {
    main: 'src/main.ts',
    'store-thread': 'src/platform/store/libsql/thread/store-thread.ts',
    'watchdog-thread': 'src/task/watchdog-thread.ts',
    'read-again-thread': 'src/platform/config/read-again-thread.ts',
  },
  bundle: true,
  // One file for each role and for what several share: a process reads what it uses, and opens few files.
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  mainFields: ['module', 'main'],
  // They load files of their own by path: a native module, and the compiler of conf/*.ts.
  external: ['libsql', 'jiti'],
  // Packages of the other kind ask for `require`.
  banner: {
    js: "import { createRequire as requireOfBuild } from 'node:module';\nconst require = requireOfBuild(import.meta.url);",
  },
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  outdir: DIST,
  write: false,
  logLevel: 'warning',
};

/** Answers the folder of the build. What is there already stays as it is. */
export async function build() {
  const { build: bundle } = await loadEsbuild();
  const { outputFiles } = await bundle(options);
  const id = idOf(outputFiles);
  const folder = path.join(DIST, id);
  await mkdir(DIST, { recursive: true });
  await chmod(DIST, FOLDER_MODE);
  if (await isThere(folder)) await mend(folder, outputFiles);
  else await writeWhole(folder, outputFiles);
  if ((await readFile(CURRENT, 'utf8').catch(() => null)) !== `${id}\n`) {
    const now = new Date();
    await utimes(folder, now, now);
    await switchTo(id);
  }
  await removeOld(id);
  await removeUnfinished();
  return folder;
}

async function loadEsbuild() {
  try {
    return await import('esbuild');
  } catch (cause) {
    if (cause.code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new BuildFailed('the package esbuild is not installed: run `npm ci`, which builds too', { cause });
  }
}

/** What is in the files, and their names. */
function idOf(files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(path.basename(file.path)).update('\0').update(file.contents);
  return hash.digest('hex').slice(0, 12);
}

/** The folder has its name only when all of it is on the disk. */
async function writeWhole(folder, files) {
  const unfinished = `${folder}.${process.pid}`;
  try {
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished);
    await chmod(unfinished, FOLDER_MODE);
    await Promise.all(
      files.map((file) => writeFile(path.join(unfinished, path.basename(file.path)), file.contents)),
    );
    await rename(unfinished, folder);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Another build of the same sources was faster.
    if (!(await isThere(folder))) throw error;
  }
}

/** What somebody has removed, or a loss of power has emptied, is written again, each file in one step. */
async function mend(folder, files) {
  for (const file of files) {
    const target = path.join(folder, path.basename(file.path));
    const there = await readFile(target).catch(() => null);
    if (there?.equals(file.contents)) continue;
    await replaceFile(target, file.contents);
  }
}

async function switchTo(id) {
  // A copy that has followed the link of an earlier version.
  if ((await lstat(CURRENT).catch(() => null))?.isDirectory()) await rm(CURRENT, { recursive: true });
  await replaceFile(CURRENT, `${id}\n`);
}

async function replaceFile(file, contents) {
  const unfinished = `${file}.${process.pid}`;
  try {
    await rm(unfinished, { recursive: true, force: true });
    await writeFile(unfinished, contents);
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
}

/** On the disk, and for everybody to read: who builds and who runs it need not be one user. */
async function writeFile(file, contents) {
  const handle = await open(file, 'wx');
  try {
    await handle.writeFile(contents);
    await handle.chmod(FILE_MODE);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function removeOld(id) {
  const builds = [];
  for (const name of await readdir(DIST)) {
    if (!/^[0-9a-f]{12}$/.test(name) || name === id) continue;
    const stats = await stat(path.join(DIST, name)).catch(ifGone);
    if (stats !== null) builds.push({ folder: path.join(DIST, name), at: stats.mtimeMs });
  }
  builds.sort((a, b) => b.at - a.at);
  const old = builds.slice(KEPT - 1);
  if (old.length === 0) return;
  const inUse = await foldersInUse();
  // As the kernel shows it; another build may have removed the folder itself.
  const dist = realpathSync(DIST);
  for (const { folder } of old) {
    if (!inUse.has(path.join(dist, path.basename(folder))))
      await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Each process of a server keeps the folder open that it runs from, and the master the one that it starts processes from. Those
 * of another user's processes are shown to root only.
 */
async function foldersInUse() {
  const open = new Set();
  for (const pid of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(pid)) continue;
    // It has ended, or is another user's.
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      open.add(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''));
    }
  }
  return open;
}

/** Of builds that were killed half way. */
async function removeUnfinished() {
  for (const name of await readdir(DIST)) {
    const pid = /^(?:[0-9a-f]{12}|current)\.(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid)))
      await rm(path.join(DIST, name), { recursive: true, force: true });
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code !== 'ESRCH';
  }
}

async function isThere(file) {
  return (await lstat(file).catch(ifGone)) !== null;
}

/** Another build may have removed it. */
function ifGone(error) {
  if (error.code === 'ENOENT') return null;
  throw error;
}

/** `npx spush` in this folder is then this program; see .npmrc. The build is of use without it: a failure is a warning. */
async function linkExecutable() {
  const folder = path.join(ROOT, 'node_modules', '.bin');
  const link = path.join(folder, 'spush');
  try {
    if (!(await isThere(folder)) || (await isThere(link))) return;
    const { bin } = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8'));
    await symlink(path.join('..', '..', bin.spush), link);
  } catch (error) {
    // Another build was faster.
    if (error.code === 'EEXIST') return;
    process.stderr.write(`npx spush does not run this program: ${error.message}\n`);
  }
}

/** One line for what the person can do something about; a fault in here, or in the sources, has its own words. */
function tell(error) {
  if (!(error instanceof BuildFailed) && error.syscall === undefined) throw error;
  process.stderr.write(`cannot build: ${error.message}\n`);
  process.exitCode = 1;
}

// The path may lead over links.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    console.log(`built ${path.relative(ROOT, await build())}`);
    await linkExecutable();
  } catch (error) {
    tell(error);
  }
}
