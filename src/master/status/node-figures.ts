/**
 * What this node tells other nodes of itself: the sums over all its children, not one Worker's. Who asks waits a quarter of
 * a second at most, so a child that does not answer in time counts with what it said last. Several who ask at once
 * share one answer, as every Worker of the node is asked over the bus.
 */
import type { ChildStats } from '../../shared/protocol/ipc.js';
import type { NodeFigures } from '../../shared/protocol/node-figures.js';

/** Leaves the rest of 250 ms to the way there and back. */
export const CHILDREN_ANSWER_MS = 120;

export interface NodeFiguresDeps {
  readonly run: string;
  readonly version: string;
  /** Of all its processes, each once. */
  readonly versions: () => readonly string[];
  /** Unix ms. */
  readonly startedAt: number;
  readonly nodeName: () => string;
  readonly maxLinkNumber: () => number;
  /** Asks all children; resolves when each has answered or had the time to. */
  readonly askChildren: () => Promise<void>;
  readonly sum: () => ChildStats;
  readonly workerNum: () => number;
  readonly taskNum: () => number;
}

export class OwnFigures {
  readonly #deps: NodeFiguresDeps;
  #asking: Promise<NodeFigures> | null = null;

  constructor(deps: NodeFiguresDeps) {
    this.#deps = deps;
  }

  /** With what all children have said last, which may be some seconds old. */
  of(sums: ChildStats): NodeFigures {
    const { run, version, versions, startedAt, nodeName, maxLinkNumber, workerNum, taskNum } = this.#deps;
    return {
      node: nodeName(),
      run,
      version,
      versions: [...versions()],
      startTime: new Date(startedAt).toISOString(),
      maxLinkNumber: maxLinkNumber(),
      connectionNum: sums.connections,
      sessionNum: sums.sessions,
      acceptCount: sums.accepted,
      closeCount: sums.closed,
      requestCount: sums.requests,
      pushCount: sums.pushes,
      ackCount: sums.acks,
      workerNum: workerNum(),
      taskNum: taskNum(),
    };
  }

  soon(): Promise<NodeFigures> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #ask(): Promise<NodeFigures> {
    const { askChildren, sum } = this.#deps;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CHILDREN_ANSWER_MS);
    });
    await Promise.race([askChildren(), late]);
    clearTimeout(timer);
    return this.of(sum());
  }
}
