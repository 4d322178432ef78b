/** The processes: titles and groups as `spush process show` prints them. */

export const SPAWNED_ROLES = ['worker', 'task', 'crontab'] as const;
export type SpawnedRole = (typeof SPAWNED_ROLES)[number];

const NAMES = {
  worker: { group: 'Worker', title: 'Worker', indexed: true },
  task: { group: 'TaskWorker', title: 'TaskWorker', indexed: true },
  crontab: { group: 'Crontab', title: 'CrontabScheduler', indexed: false },
} as const satisfies Record<SpawnedRole, { group: string; title: string; indexed: boolean }>;

export function masterTitle(mode: string): string {
  return `spush.${mode}.Master`;
}

/** Null when it is not the title of a master. */
export function modeOfTitle(title: string): string | null {
  const mode = /^spush\.(.+)\.Master$/.exec(title)?.[1];
  return mode !== undefined && isFormerMode(mode) ? mode : null;
}

export function childTitle(mode: string, role: SpawnedRole, index: number): string {
  const { title, indexed } = NAMES[role];
  return indexed ? `spush.${mode}.${title}.${index}` : `spush.${mode}.${title}`;
}

export function childGroup(mode: string, role: SpawnedRole): string {
  return `spush.${mode}.${NAMES[role].group}`;
}

/** `Worker`, `TaskWorker`, `Crontab`. */
export function shortGroup(role: SpawnedRole): string {
  return NAMES[role].group;
}

/**
 * No dots: names of files are `{mode}.db`, `{mode}.spill.db`, `{mode}.2026-01-31.1.log`, so with them the files of one mode
 * could be those of another.
 */
export function isMode(value: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/.test(value);
}

/** What earlier versions took as a mode: a server of theirs may still run and has to be stopped. */
export function isFormerMode(value: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/.test(value);
}
