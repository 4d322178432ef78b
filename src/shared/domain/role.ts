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

export function isMode(value: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/.test(value);
}
