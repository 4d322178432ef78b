/** The front door: what of its work is counted and shown. Connections themselves travel as `conn` of ipc.ts. */

/**
 * Why a connection was closed before any Worker had it: too many waited (`full`), none took it in time (`late`), the
 * kernel could not accept it (`kernel`), the server stops (`stopping`).
 */
export const DOOR_REFUSALS = ['full', 'late', 'kernel', 'stopping'] as const;
export type DoorRefusal = (typeof DOOR_REFUSALS)[number];

export interface DoorCounts {
  readonly accepted: number;
  /** No Worker has them yet. */
  readonly waiting: number;
  readonly refused: Readonly<Record<DoorRefusal, number>>;
}
