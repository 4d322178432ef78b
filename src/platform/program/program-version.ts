/**
 * The program that this process runs: the version of its package and, behind a plus as in Semantic Versioning, the build. Two
 * builds may have one version.
 */
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const BUILD_FOLDER = /^[0-9a-f]{12}$/;

/** `0.1.0+c922f45432f9`; without the build where none runs, as in tests. */
export function programVersion(version: string, here = fileURLToPath(import.meta.url)): string {
  const folder = basename(dirname(here));
  return BUILD_FOLDER.test(folder) ? `${version}+${folder}` : version;
}
