/** A value of the configuration as people read it. */

export function configValue(value: unknown, unit: string | null): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return unit === null || value === null ? text : `${text} ${unit}`;
}
