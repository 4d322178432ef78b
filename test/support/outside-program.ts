/**
 * Programs of the machine that a test needs and that are not part of the project. A test without its program is skipped
 * with a line that says what to install; with SPUSH_TEST_REQUIRE=all that is a failure.
 */
import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** @param hint what to do about it, e.g. `apt-get install nginx-light`. Answers the path, or null to skip. */
export function outsideProgram(name: string, hint: string): string | null {
  // Servers are often in the folders of the administrator only.
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin'];
  const found = folders.map((folder) => path.join(folder, name)).find(isExecutable);
  if (found !== undefined) return found;
  const text = `${name} is not in PATH: ${hint}`;
  if (process.env['SPUSH_TEST_REQUIRE'] === 'all') throw new Error(text);
  console.warn(`skipped: ${text}`);
  return null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // not there, or not ours to run: the next folder
  }
}
