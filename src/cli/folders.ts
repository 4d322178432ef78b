/** Folders by what they are, not by how they are written: by links one folder has several paths. */
import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';

export function isSameFolder(a: string, b: string): boolean {
  return a === b || realPath(a) === realPath(b);
}

/** The folder of the program; the executable may be a link that lies elsewhere, as /usr/local/bin/spush does. */
export function programFolderOf(launchPath: string): string {
  return dirname(dirname(realPath(launchPath)));
}

/** Returns the path itself where it is gone, or not ours to look at. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // Whoever compares it goes by its name.
    return path;
  }
}
