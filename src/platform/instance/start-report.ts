/** What a detached master tells the command that started it, once, over the IPC channel between the two. */
import { z } from 'zod';

export const startReportSchema = z.discriminatedUnion('t', [
  z.object({ t: z.literal('ready'), pid: z.int(), listen: z.string() }),
  z.object({ t: z.literal('failed'), code: z.string(), message: z.string(), exitCode: z.int() }),
]);
export type StartReport = z.infer<typeof startReportSchema>;
