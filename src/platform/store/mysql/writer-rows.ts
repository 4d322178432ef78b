/**
 * What the rows of spush_writer are for, by their `part`. With GROUPS and PROBES `owner` is a living process. With KEY_LOCKS
 * it is a number of a lock: nothing is ever written to such a row, it is only locked until a transaction ends.
 */
export const GROUPS = 0;
export const PROBES = 1;
export const KEY_LOCKS = 2;

/** `at` of rows that are never too old. */
export const FOR_EVER = Number.MAX_SAFE_INTEGER;
