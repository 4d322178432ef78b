/** Asks all nodes for their figures: one answer for each node, whichever of its Workers was first, and who was silent. */
import { type Bus, OTHERS_UNREACHED } from '../platform/bus/bus.js';
import type { NodeFigures } from '../shared/protocol/node-figures.js';

export interface NodesAnswer {
  readonly nodes: readonly NodeFigures[];
  /** `web1-5f3a9c0e`, or in words why other nodes could not be asked. */
  readonly silent: readonly string[];
}

export async function askNodes(bus: Pick<Bus, 'ask'>, deadlineMs: number): Promise<NodesAnswer> {
  const { answers, silent } = await bus.ask('figures', {}, { deadlineMs });
  const nodes = new Map(answers.map(({ result }) => [`${result.node}-${result.run}`, result]));
  const silentNodes = silent.flatMap((name) => {
    if (name === OTHERS_UNREACHED) return [name];
    // `node/process`; without a node it is a process of this one, which is told of by its master anyway.
    const [node = '', process] = name.split('/');
    return process === undefined || nodes.has(node) ? [] : [node];
  });
  return { nodes: [...nodes.values()], silent: [...new Set(silentNodes)] };
}
