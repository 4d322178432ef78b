/**
 * A process whose working folder is removed (a release that was replaced, a build folder) goes on, but can start nothing any
 * more: neither a thread nor another Node begins without one. Nothing that runs long uses relative paths, so it goes to `/`.
 */
import { readlinkSync } from 'node:fs';

/** To be called before a thread or a process is started. Never throws for what it finds. */
export function leaveRemovedFolder(): void {
  if (isRemoved()) process.chdir('/');
}

/** Not by process.cwd(), which remembers what it answered first. */
function isRemoved(): boolean {
  try {
    return readlinkSync('/proc/self/cwd').endsWith(' (deleted)');
  } catch {
    // It cannot be told; then it is left as it is.
    return false;
  }
}
