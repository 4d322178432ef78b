/**
 * The program from which a master starts its children. It stays the same build until a reload asks for the newest one, so
 * that a process that is started anew after a crash runs the code of those beside it. The newest one is looked for at the
 * path that the server was started by: that may be a link that was moved to another release.
 */
import { closeSync, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorText, SpushError } from '../../shared/base/errors.js';
import { holdBuild } from './held-build.js';
import { programFile, programOf } from './program-files.js';

export class LaunchedProgram {
  readonly #launchPath: string;
  #mainFile: string;
  #hold: number | null;

  /** @param launchPath the executable as it was called, e.g. `/opt/spush/current/bin/spush.js` */
  constructor(launchPath: string, mainFile: string = programFile('main')) {
    this.#launchPath = launchPath;
    this.#mainFile = mainFile;
    // Never closed: this process starts threads from this folder as long as it lives.
    holdBuild(mainFile);
    this.#hold = null;
  }

  /** Returns the main file for a process that is started now. A build that was removed is given up for the newest one. */
  mainFileToStart(): string {
    if (!existsSync(this.#mainFile)) {
      try {
        this.#use(programOf(this.#launchPath));
      } catch {
        // There is none: what is wrong is told by the start of the process.
      }
    }
    return this.#mainFile;
  }

  /**
   * Children are started from the newest build from now on.
   *
   * @returns its folder when it is another one, and how to go back
   * @throws SpushError START_FAILED when there is no build at the path
   */
  renew(): { readonly changedTo: string | null; undo(): void } {
    const before = this.#mainFile;
    const newest = this.#newest();
    this.#use(newest);
    return {
      changedTo: newest === before ? null : dirname(newest),
      undo: () => this.#use(before),
    };
  }

  #newest(): string {
    try {
      return programOf(this.#launchPath);
    } catch (cause) {
      throw new SpushError(
        'START_FAILED',
        `no built program is found at ${this.#launchPath}, from where the server was started (${errorText(cause)}): build it (npm run build), or let the path lead to a release again`,
        { cause },
      );
    }
  }

  #use(mainFile: string): void {
    if (mainFile === this.#mainFile) return;
    if (this.#hold !== null) closeSync(this.#hold);
    this.#mainFile = mainFile;
    this.#hold = holdBuild(mainFile);
  }
}
