/** The figures of one node, as its master adds them up, and those of all nodes together. */
import * as z from 'zod';

const name = z.string().max(256);
const count = z.number().min(0);

/** What can be added up over nodes. */
const sums = z.object({
  maxLinkNumber: count,
  connectionNum: count,
  /** Of these, logged in. */
  sessionNum: count,
  acceptCount: count,
  closeCount: count,
  requestCount: count,
  pushCount: count,
  ackCount: count,
  workerNum: count,
  taskNum: count,
});
export type NodeSums = z.infer<typeof sums>;
export const nodeSumsSchema = sums;

/** A node's row in `server status`. */
export const nodeRowSchema = z.object({
  node: name,
  /** Of its master. */
  version: name,
  /** Of all its processes, each once; several while an update has not reached all of them. */
  versions: z.array(name).max(256).optional(),
  startTime: name,
  ...sums.shape,
});
export type NodeRow = z.infer<typeof nodeRowSchema>;

/** As nodes tell each other. */
export const nodeFiguresSchema = z.object({
  ...nodeRowSchema.shape,
  /** What is random of the node's start: tells two nodes of one name apart. */
  run: name,
});
export type NodeFigures = z.infer<typeof nodeFiguresSchema>;

export function addUp(nodes: readonly NodeSums[]): NodeSums {
  const total = Object.fromEntries(Object.keys(sums.shape).map((key) => [key, 0])) as NodeSums;
  for (const node of nodes)
    for (const key of Object.keys(total) as (keyof NodeSums)[]) total[key] += node[key];
  return total;
}
