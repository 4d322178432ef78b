/** Tells the master when this process uses more memory than it may: another one is to take its place. */
import type { MasterPeer } from '../platform/rpc/master-link.js';

/** How often it looks, and so how often it says so again. */
const LOOK_MS = 10_000;

export interface MemoryWatchDeps {
  /** Bytes; null: no limit. */
  readonly limitBytes: () => number | null;
  readonly peer: Pick<MasterPeer, 'note'>;
  /** Null: not known now. */
  readonly rssBytes?: () => number | null;
  readonly lookMs?: number;
}

export class MemoryWatch {
  readonly #deps: MemoryWatchDeps;
  #timer: NodeJS.Timeout | null = null;

  constructor(deps: MemoryWatchDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), this.#deps.lookMs ?? LOOK_MS);
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  #look(): void {
    const { limitBytes, peer, rssBytes = ownRssBytes } = this.#deps;
    const limit = limitBytes();
    if (limit === null) return;
    const rss = rssBytes();
    if (rss !== null && rss > limit) peer.note('memory.above', { rssBytes: rss, limitBytes: limit });
  }
}

/** It is read from a file of /proc, which cannot be opened where no descriptor is left: the next look will do. */
function ownRssBytes(): number | null {
  try {
    return process.memoryUsage.rss();
  } catch {
    return null;
  }
}
