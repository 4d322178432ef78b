/**
 * The right to replace a dead owner's identity file. Reading "stale" and then replacing is a race: two starters read
 * the same, the second replaces the first. So the right is a file of its own, `….after-{pid}-{startTicks}` of the dead
 * owner, made with link(2): an identity never comes back, so each dead owner has one successor. A successor that died
 * in the middle has a successor in its turn. Whoever gets a claim checks that the file is still the dead owner's:
 * a claim made too late, after somebody else was done, finds it changed and is given back.
 */
import { linkIfFree, unlinkIfThere } from './atomic-files.js';
import { MeaninglessFile } from './meaningless-file.js';
import { isAlive, type ProcessIdentity, sameProcess } from './process-identity.js';

export interface ClaimOptions {
  /** The identity file. */
  readonly file: string;
  /** A file with the claimant's identity; it is linked, not moved. */
  readonly draft: string;
  readonly stale: ProcessIdentity;
  readonly readIdentityFile: (file: string) => Promise<ProcessIdentity | null>;
}

export type Claim =
  /** Until `release`, which comes after the identity file was replaced or removed. */
  | { readonly state: 'ours'; release(): Promise<void> }
  | { readonly state: 'taken'; readonly by: number }
  /** The identity file is not the dead owner's any more: look again. */
  | { readonly state: 'changed' };

/** Successors that died one after the other while they replaced the same owner. */
const CHAIN_MAX = 16;

export async function claimAfter(options: ClaimOptions): Promise<Claim> {
  const { file, draft, stale, readIdentityFile } = options;
  const claims: string[] = [];
  let dead = stale;
  for (let length = 0; length < CHAIN_MAX; length++) {
    const claim = `${file}.after-${dead.pid}-${dead.startTicks}`;
    claims.push(claim);
    if (await linkIfFree(draft, claim)) {
      const current = await readIdentityFile(file);
      if (current !== null && sameProcess(current, stale)) {
        // In the order of the chain: while a later claim stands, nobody can get past it.
        return { state: 'ours', release: () => unlinkAll(claims) };
      }
      await unlinkIfThere(claim);
      return { state: 'changed' };
    }
    const rival = await readRival(claim, readIdentityFile);
    if (rival === null) return { state: 'changed' };
    if (await isAlive(rival)) return { state: 'taken', by: rival.pid };
    dead = rival;
  }
  return { state: 'changed' };
}

/** A claim gets its name when it is complete: one that makes no sense is nobody's, and goes. */
async function readRival(
  claim: string,
  readIdentityFile: ClaimOptions['readIdentityFile'],
): Promise<ProcessIdentity | null> {
  try {
    return await readIdentityFile(claim);
  } catch (error) {
    if (!(error instanceof MeaninglessFile)) throw error;
    await unlinkIfThere(claim);
    return null;
  }
}

async function unlinkAll(files: readonly string[]): Promise<void> {
  for (const file of files) await unlinkIfThere(file);
}
