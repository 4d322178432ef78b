/** The troubles of a node: of its master and of all its children, as `server status` and the metrics show them. */
import * as z from 'zod';
import { TROUBLE_NAMES, type TroubleName, type TroubleReport } from '../domain/trouble.js';

const troubleName = z.enum(TROUBLE_NAMES);
const number = z.number();

export const troubleReportSchema = z.object({
  now: z.array(z.object({ name: troubleName, text: z.string(), since: number, failures: number })),
  failures: z.partialRecord(troubleName, number),
});

/** One trouble of one process, as `server status` tells it. */
export const warningSchema = z.object({
  /** Title of the process. */
  process: z.string(),
  trouble: troubleName,
  text: z.string(),
  /** ISO 8601 */
  since: z.string(),
  /** Tries that failed since then; for the log, lines that are not in it. */
  failures: number,
});
export type Warning = z.infer<typeof warningSchema>;

/** By name of the trouble. */
export type NodeTroubles = Readonly<
  Partial<
    Record<
      TroubleName,
      {
        /** Processes that have it now. */
        readonly processes: number;
        /** Failed tries of all living processes since they started. */
        readonly failures: number;
      }
    >
  >
>;

export function warningsOf(process: string, { now }: TroubleReport): Warning[] {
  return now.map(({ name, text, since, failures }) => ({
    process,
    trouble: name,
    text,
    since: new Date(since).toISOString(),
    failures,
  }));
}

export function addUpTroubles(reports: readonly TroubleReport[]): NodeTroubles {
  const sums: { -readonly [N in TroubleName]?: { processes: number; failures: number } } = {};
  for (const name of TROUBLE_NAMES) {
    const processes = reports.filter(({ now }) => now.some((trouble) => trouble.name === name)).length;
    const failures = reports.reduce((sum, report) => sum + (report.failures[name] ?? 0), 0);
    if (processes > 0 || failures > 0) sums[name] = { processes, failures };
  }
  return sums;
}
