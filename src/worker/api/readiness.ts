/**
 * Whether this process can do its work: every check injected, each with its deadline. However many ask, checks run one
 * round at a time and their result serves for a second; a check that hangs is not begun again until it has ended.
 */

import type { Log } from '../../platform/log/log.js';
import { type Clock, type Moment, msSince } from '../../shared/base/clock.js';
import { errorText, isSpushError } from '../../shared/base/errors.js';

export interface ReadinessCheck {
  readonly name: string;
  /** Throws when it is not ready. */
  check(): Promise<unknown>;
}

export interface NotReady {
  readonly check: string;
  readonly reason: string;
}

export interface Readiness {
  /** Empty: ready. */
  reasons(): Promise<readonly NotReady[]>;
  /** From now on it is not ready, because it stops. */
  stop(): void;
}

export interface ReadinessOptions {
  readonly checks: readonly ReadinessCheck[];
  readonly clock: Pick<Clock, 'moment'>;
  readonly log: Log;
  readonly deadlineMs?: number;
  readonly keepMs?: number;
}

export const CHECK_DEADLINE_MS = 2000;
export const RESULT_KEEP_MS = 1000;
const REASON_CHARS_MAX = 200;
const STOPPING: readonly NotReady[] = [{ check: 'process', reason: 'stopping' }];

export function createReadiness(options: ReadinessOptions): Readiness {
  const { clock, log, deadlineMs = CHECK_DEADLINE_MS, keepMs = RESULT_KEEP_MS } = options;
  const checks = options.checks.map((check) => singleFlight(check));
  let stopping = false;
  let round: Promise<readonly NotReady[]> | null = null;
  let kept: { readonly reasons: readonly NotReady[]; readonly at: Moment } | null = null;
  let wasReady = true;

  async function run(): Promise<readonly NotReady[]> {
    const results = await Promise.all(checks.map(({ name, run }) => inTime(name, run(), deadlineMs)));
    const reasons = results.filter((reason) => reason !== null);
    kept = { reasons, at: clock.moment() };
    round = null;
    if (wasReady !== (reasons.length === 0)) tell(reasons);
    return reasons;
  }

  function tell(reasons: readonly NotReady[]): void {
    wasReady = reasons.length === 0;
    if (wasReady) log.info('ready.again');
    for (const { check, reason } of reasons) log.error('ready.lost', { check, reason });
  }

  return {
    async reasons() {
      if (stopping) return STOPPING;
      if (kept !== null && msSince(clock, kept.at) < keepMs) return kept.reasons;
      round ??= run();
      return await round;
    },
    stop() {
      stopping = true;
    },
  };
}

/** The same run for everybody who asks while it runs. Answers the reason, or null. */
function singleFlight({ name, check }: ReadinessCheck): { name: string; run: () => Promise<string | null> } {
  let running: Promise<string | null> | null = null;
  const once = async () => {
    try {
      await check();
      return null;
    } catch (error) {
      return reasonText(error);
    }
  };
  return {
    name,
    run() {
      running ??= once().finally(() => {
        running = null;
      });
      return running;
    },
  };
}

async function inTime(
  check: string,
  running: Promise<string | null>,
  deadlineMs: number,
): Promise<NotReady | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no result within ${deadlineMs} ms`), deadlineMs);
  });
  try {
    const reason = await Promise.race([running, late]);
    return reason === null ? null : { check, reason };
  } finally {
    clearTimeout(timer);
  }
}

function reasonText(error: unknown): string {
  const text = errorText(error);
  return (isSpushError(error) ? `${error.code}: ${text}` : text).slice(0, REASON_CHARS_MAX);
}
