/**
 * What the master needs in its folders is there, or is made again within seconds: Temp/ with pid file and identity, Log/, and
 * Data/ where it holds no store, for its own user alone. Whatever somebody does to them while the server runs, delivery goes on; what cannot be done
 * is a trouble, and is tried again. (The control socket looks after itself, and so does the log.)
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { Config } from '../platform/config/config-schema.js';
import type { Troubles } from '../platform/health/troubles.js';
import { environmentRecordFile, keepEnvironmentRecord } from '../platform/instance/environment-record.js';
import { keepInstance } from '../platform/instance/instance-file.js';
import { claimMode, type ModeClaim } from '../platform/instance/mode-claim.js';
import { FOLDER_MODES, tighten, tightenFiles } from '../platform/instance/private-modes.js';
import type { ProcessIdentity } from '../platform/instance/process-identity.js';
import type { Log } from '../platform/log/log.js';
import { errorText } from '../shared/base/errors.js';
import type { Environment } from '../shared/protocol/environment.js';

export const LOOK_EVERY_MS = 2000;

export interface OwnFilesOptions {
  readonly config: Pick<Config, 'paths' | 'mode' | 'env' | 'db'>;
  readonly owner: ProcessIdentity;
  /** As it was at the start; tried for again when it could not be had. */
  readonly claim: ModeClaim;
  /** In which the server runs. */
  readonly environment: Environment;
  readonly troubles: Troubles;
  readonly log: Log;
}

export class OwnFiles {
  readonly #options: OwnFilesOptions;
  #claim: ModeClaim;
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> = Promise.resolve();
  #isOpen = false;
  #isReady = false;
  #isClosed = false;

  constructor(options: OwnFilesOptions) {
    this.#options = options;
    this.#claim = options.claim;
    tellClaim(this.#claim, options.troubles);
  }

  /** Looks at all of it, also at what only a start finds; then every two seconds. */
  async open(): Promise<void> {
    await this.look();
    await this.#tightenFiles();
    this.#isOpen = true;
    this.#lookLater();
  }

  /** The server is ready: what is written to Data/ from now on is of its environment. Never rejects. */
  ready(): Promise<void> {
    this.#isReady = true;
    return this.#inTurn(() => this.#keepRecord());
  }

  /** When nothing is made any more, the files are removed; then the claim is given back. */
  async close(removeFiles: () => Promise<unknown>): Promise<void> {
    this.#isClosed = true;
    if (this.#timer) clearTimeout(this.#timer);
    await this.#looking;
    try {
      await removeFiles();
    } catch (error) {
      // The next start sees that they are stale.
      this.#options.log.warn('instance.notRemoved', { error: errorText(error) });
    }
    if (this.#claim.state === 'ours') this.#claim.release();
  }

  /** Looks once. Never rejects. */
  look(): Promise<void> {
    return this.#inTurn(() => this.#lookAtAll());
  }

  /** A file has one writer at a time. */
  #inTurn(step: () => Promise<void>): Promise<void> {
    this.#looking = this.#looking.then(step);
    return this.#looking;
  }

  async #lookAtAll(): Promise<void> {
    await this.#keepFolders();
    await this.#keepInstance();
    await this.#keepClaim();
    if (this.#isReady) await this.#keepRecord();
    if (this.#options.troubles.has('fileModes')) await this.#tightenFiles();
  }

  #lookLater(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      void this.look().finally(() => this.#lookLater());
    }, LOOK_EVERY_MS);
    this.#timer.unref();
  }

  async #keepFolders(): Promise<void> {
    const { config, troubles } = this.#options;
    const { paths } = config;
    const faults: string[] = [];
    for (const name of ['temp', 'log', 'data'] as const) {
      try {
        if (name === 'data') await this.#assertStore();
        await this.#keepFolder(paths[name], FOLDER_MODES[name]);
      } catch (error) {
        faults.push(`${paths[name]}: ${errorText(error)}`);
      }
    }
    if (faults.length === 0) troubles.end('folders');
    else troubles.begin('folders', `${faults.join('; ')}. Give this user the folders in ${paths.home}`);
  }

  /** A folder that was removed or moved away with the store is not made anew: in its place nothing could be put back. */
  async #assertStore(): Promise<void> {
    const { paths, env, db } = this.#options.config;
    if (!this.#isOpen || env !== 0 || db.file !== null || existsSync(paths.data)) return;
    throw new Error('it is gone, and the store with it: put it back');
  }

  async #keepFolder(folder: string, mode: number): Promise<void> {
    const { log } = this.#options;
    if ((await mkdir(folder, { recursive: true, mode })) !== undefined && this.#isOpen) {
      log.warn('folder.madeAgain', { folder });
    }
    const changed = await tighten(folder, mode);
    if (changed) log.warn('files.tightened', { ...changed });
  }

  async #keepInstance(): Promise<void> {
    const { config, owner, troubles, log } = this.#options;
    const { pidFile } = config.paths;
    try {
      if (await keepInstance(config.paths, owner)) log.warn('instance.madeAgain', { pidFile });
      troubles.end('instanceFiles');
    } catch (error) {
      const text = `${pidFile}, or the file beside it, cannot be written: ${errorText(error)}`;
      troubles.begin('instanceFiles', text);
    }
  }

  async #keepRecord(): Promise<void> {
    const { config, environment, troubles } = this.#options;
    const file = environmentRecordFile(config.paths, config.mode);
    try {
      await keepEnvironmentRecord(file, environment);
      troubles.end('environmentRecord');
    } catch (error) {
      const text = `${file} cannot be written: ${errorText(error)}. A start in another environment would not be noticed`;
      troubles.begin('environmentRecord', text);
    }
  }

  async #keepClaim(): Promise<void> {
    const { config, troubles } = this.#options;
    const held = this.#claim;
    let claim: ModeClaim;
    try {
      if (held.state === 'ours' && (await held.holds())) {
        tellClaim(held, troubles);
        return;
      }
      claim = await claimMode({ home: config.paths.home, mode: config.mode });
    } catch (error) {
      // The file system fails, or no descriptor is free: the present claim is kept, and tried again at the next look.
      claim = { state: 'none', reason: errorText(error) };
    }
    // Of a home that was made anew. The old claim is kept until the new one is there.
    if (held.state === 'ours' && claim.state === 'ours') held.release();
    if (claim.state === 'ours' || held.state !== 'ours') this.#claim = claim;
    tellClaim(claim, troubles);
  }

  async #tightenFiles(): Promise<void> {
    const { config, troubles, log } = this.#options;
    const { paths, mode, db } = config;
    const { changed, faults } = await tightenFiles(paths, mode, db.file);
    for (const each of changed) log.warn('files.tightened', { ...each });
    if (faults.length === 0) troubles.end('fileModes');
    else {
      const text = `others may read what they should not: ${faults.join('; ')}. Let its owner, or root, do chmod go-rwx`;
      troubles.begin('fileModes', text);
    }
  }
}

function tellClaim(claim: ModeClaim, troubles: Troubles): void {
  switch (claim.state) {
    case 'ours':
      troubles.end('modeClaim');
      return;
    case 'taken':
      troubles.begin(
        'modeClaim',
        `another master of this mode runs beside this one, as pid ${claim.by.identity.pid}: stop one of them`,
      );
      return;
    case 'none':
      troubles.begin(
        'modeClaim',
        `the kernel's name for this mode cannot be had (${claim.reason}): a second start is noticed by the files in Temp/ alone`,
      );
  }
}
