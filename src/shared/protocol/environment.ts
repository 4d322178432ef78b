/**
 * The environment in which a server runs: what a restart from another shell must not change unnoticed. The master says it on
 * its control socket, and a file beside the data keeps it for the next start.
 */
import * as z from 'zod';

export const environmentSchema = z.object({
  /** PUSHENV. */
  env: z.literal([0, 1, 2]),
  /** Who said so: `PUSHENV` (the variable), the path of bootstrap.ts, or `default`. */
  envSource: z.string(),
  /** SPUSH_ROOT and SPUSH_HOME. */
  root: z.string().min(1),
  home: z.string().min(1),
  /** The folder of the program: where nothing else was said it is the root, and changes with each release. */
  program: z.string().min(1),
  /** Where messages are kept, in words. Its kind follows from PUSHENV: a file in 0, a database server in 1 and 2. */
  store: z.string(),
});
export type Environment = z.infer<typeof environmentSchema>;
