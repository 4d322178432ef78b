/** What the rows of spush_writer are for, by their `part`. `owner` is a living process. */
export const GROUPS = 0;
export const PROBES = 1;
