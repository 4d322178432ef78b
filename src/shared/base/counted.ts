/** `1 connection`, `2 connections`: for texts that people read. */
export function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}
