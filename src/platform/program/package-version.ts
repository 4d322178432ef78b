/**
 * The version of the program that this process runs, for the banner, `--version` and `server status`. It is part of the
 * build: package.json on the disk may be that of a newer one by now.
 */
import packageJson from '../../../package.json' with { type: 'json' };

export function packageVersion(): string {
  return packageJson.version;
}
