/**
 * What a master in the background and the command that starts it say to each other over the IPC channel between them. First
 * the command says what the server is started with: a command line can be read by everybody on the machine, and values of
 * `--set` may be secrets. Then the master says once how the start went.
 */
import * as z from 'zod';

export const startOrderSchema = z.object({
  t: z.literal('start'),
  mode: z.string(),
  /** Of the command line, by path of the key. */
  settings: z.record(z.string(), z.string()),
  /** The executable as the command was called by. */
  launchPath: z.string(),
});
export type StartOrder = z.infer<typeof startOrderSchema>;

export const startReportSchema = z.discriminatedUnion('t', [
  z.object({
    t: z.literal('ready'),
    pid: z.int(),
    listen: z.string(),
    /** What is wrong and has not kept the server from starting. */
    warnings: z.array(z.string()).default([]),
  }),
  z.object({ t: z.literal('failed'), code: z.string(), message: z.string(), exitCode: z.int() }),
]);
export type StartReport = z.infer<typeof startReportSchema>;
