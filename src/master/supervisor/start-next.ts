/** Starts a process for a place, and waits until it is ready. */
import { SpushError } from '../../shared/base/errors.js';
import { type Child, endText } from './child.js';
import type { Slot } from './slot.js';
import { NEXT_READY_DEADLINE_MS, type Supervisor } from './supervisor.js';

/** A process that is not ready in time is killed, and that is heard a moment later. */
const READY_MARGIN_MS = 5000;

/** @param otherwise what is said of the place when it does not come up */
export async function startNext(
  supervisor: Pick<Supervisor, 'startNext' | 'isStopping'>,
  slot: Slot,
  otherwise: () => string,
): Promise<Child> {
  assertGoesOn(supervisor);
  const next = supervisor.startNext(slot);
  const limitMs = NEXT_READY_DEADLINE_MS + READY_MARGIN_MS;
  if (await slot.untilReady((child) => child === next, limitMs, next.ended)) return next;
  assertGoesOn(supervisor);
  const why = next.failure?.message ?? endText(await next.ended);
  throw new SpushError('RELOAD_FAILED', `the new ${slot.name} did not come up: ${why}; ${otherwise()}`);
}

export function assertGoesOn({ isStopping }: Pick<Supervisor, 'isStopping'>): void {
  if (isStopping) throw new SpushError('SHUTTING_DOWN', 'the server stops');
}
