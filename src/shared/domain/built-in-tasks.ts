/** Tasks that spush brings along; an operator's own task cannot have one of these names. */
export const BUILT_IN_TASKS = ['sweep', 'prune'] as const;
export type BuiltInTask = (typeof BUILT_IN_TASKS)[number];
