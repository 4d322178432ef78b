/** A log line for people: time, level, process, event, then the fields as name=value. */
const COLOURS: Readonly<Record<string, string>> = {
  warn: '\u001b[33m',
  error: '\u001b[31m',
  debug: '\u001b[2m',
};
const PLAIN = '\u001b[0m';
const KNOWN = new Set(['level', 'time', 'process', 'pid', 'event']);

/** @param line one JSON line; what is no JSON object is passed on as it is. */
export function readableLine(line: string, colour: boolean): string {
  const fields = parse(line);
  if (!fields) return line;
  const { level, time, process, event } = fields;
  const text = [
    clock(String(time)),
    String(level).padEnd(5),
    shortName(String(process)),
    String(event),
    ...Object.entries(fields)
      .filter(([name, value]) => !KNOWN.has(name) && value !== undefined)
      .map(([name, value]) => `${name}=${shown(value)}`),
  ].join(' ');
  const paint = colour ? COLOURS[String(level)] : undefined;
  return paint ? `${paint}${text}${PLAIN}\n` : `${text}\n`;
}

function parse(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null; // not one of ours: shown as it is
  }
}

/** The title of a process, whatever its mode. */
const TITLE = /^spush\.[\w.-]+\.(?:Master|Worker\.\d+|TaskWorker\.\d+|CrontabScheduler)$/;

/** `spush.websocket.Worker.0` as `Worker.0`. */
function shortName(title: string): string {
  return title.replace(/^spush\..*\.(?=(?:Master|Worker|TaskWorker|CrontabScheduler)\b)/, '');
}

/** Local time of day, with milliseconds. */
function clock(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** Control bytes stay escaped, so that no field can draw on the terminal. */
function shown(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  if (TITLE.test(value)) return shortName(value);
  return /^[\w./:@+,-]+$/.test(value) ? value : JSON.stringify(value);
}
