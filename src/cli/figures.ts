/** How figures are written in tables: as the original does, or shorter where a terminal is narrow. */
import { dateTime } from './date-time.js';

const UNITS = ['b', 'kb', 'mb', 'gb', 'tb', 'pb'] as const;
const DAY_MS = 86_400_000;

export function text(value: string | number | null): string {
  return value === null ? '-' : String(value);
}

/** `12.34 mb` */
export function memory(bytes: number | null, digits = 2): string {
  if (bytes === null) return '-';
  let unit = 0;
  // What would be printed as 1024.00 is 1.00 of the next unit.
  while (unit < UNITS.length - 1 && bytes / 1024 ** unit >= 1024 - 0.5 / 10 ** digits) unit += 1;
  return `${(bytes / 1024 ** unit).toFixed(digits)} ${UNITS[unit]}`;
}

/** `12.3/15.6 mb`: now and at most. */
export function memoryPair(bytes: number | null, peak: number | null): string {
  const [now, most] = [memory(bytes, 1), memory(peak, 1)];
  const [number, unit] = now.split(' ');
  return unit !== undefined && most.endsWith(` ${unit}`) ? `${number}/${most}` : `${now}/${most}`;
}

/** Per cent of one core: `0.3`, `12`. */
export function cpu(percent: number | null): string {
  if (percent === null) return '-';
  return percent < 9.95 ? percent.toFixed(1) : percent.toFixed(0);
}

/** `2021-02-03 11:20:32` of an ISO 8601 text. */
export function time(iso: string | null): string {
  return iso === null ? '-' : dateTime(new Date(iso));
}

/** `11:20:32` within a day of now, otherwise `02-03` above `11:20`. */
export function shortTime(iso: string | null, now: Date): string {
  if (iso === null) return '-';
  const date = new Date(iso);
  const [day = '', clock = ''] = dateTime(date).split(' ');
  if (Math.abs(date.getTime() - now.getTime()) < DAY_MS) return clock;
  return `${day.slice(5)}\n${clock.slice(0, 5)}`;
}

/** How long ago, as a duration. */
export function age(iso: string | null, now: Date): string {
  return iso === null ? '-' : duration(now.getTime() - new Date(iso).getTime());
}

/** In the unit that leaves at least two of it: `90s`, `75m`, `47h`, `41d`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}
