/** What children ask of the node, put together: who answers which message of which child. */
import type { Config } from '../platform/config/config-schema.js';
import { effectiveMaxLinks } from '../platform/limits/descriptors.js';
import { visitorShare } from '../platform/limits/visitor-share.js';
import type { Log } from '../platform/log/log.js';
import type { Clock } from '../shared/base/clock.js';
import type { ToMaster } from '../shared/protocol/ipc.js';
import type { NodeFigures } from '../shared/protocol/node-figures.js';
import type { NodeTroubles } from '../shared/protocol/node-troubles.js';
import type { FrontDoor } from './accept/front-door.js';
import { Mover } from './handoff/mover.js';
import { PermitDesk, type PermitLimits } from './permits/permit-desk.js';
import { askWorkers } from './relay/ask-relay.js';
import { BusRelay } from './relay/bus-relay.js';
import type { NonceBook } from './relay/nonce-book.js';
import type { NonceFile } from './relay/nonce-file.js';
import { TaskRouter } from './relay/task-router.js';
import type { Child, RelayHandlers } from './supervisor/child.js';
import type { ChildEnd } from './supervisor/child-process.js';

export interface RelaysDeps {
  readonly config: () => Config;
  /** Open files that a process may have; null when that is not known. */
  readonly descriptors: number | null;
  readonly door: FrontDoor;
  readonly nonces: { readonly book: NonceBook; readonly file: NonceFile };
  readonly clock: Clock;
  readonly log: Log;
  /** Workers that can be asked. */
  readonly workers: () => readonly Child[];
  /** The figures of this node. */
  readonly figures: () => Promise<NodeFigures>;
  /** The troubles of all processes of this node. */
  readonly troubles: () => Promise<NodeTroubles>;
  readonly onMemoryAbove: (child: Child, use: ToMaster['notes']['memory.above']) => void;
}

export class Relays {
  readonly tasks: TaskRouter;
  readonly mover: Mover;
  readonly #deps: RelaysDeps;
  readonly #bus: BusRelay;
  readonly #permits: PermitDesk;

  constructor(deps: RelaysDeps) {
    const { config, descriptors, clock, log } = deps;
    this.#deps = deps;
    this.#bus = new BusRelay(log);
    this.#permits = new PermitDesk(permitLimits(config(), descriptors));
    this.mover = new Mover({ permits: this.#permits, clock, log });
    this.tasks = new TaskRouter(() => config().system.TaskMaxRunning, clock);
  }

  onConnected(child: Child): void {
    this.#bus.attach(child);
    if (child.role === 'worker') this.#permits.attach(child);
  }

  onReady(child: Child): void {
    if (child.role === 'task') this.tasks.attach(child);
    else if (child.role === 'worker') this.#deps.door.attach(child);
  }

  /** It is told to end: no new tasks and connections for it. */
  onLeaving(child: Child): void {
    this.tasks.detach(child);
    this.#deps.door.detach(child);
  }

  /** The limits of now have changed. */
  onConfig(config: Config): void {
    this.#permits.setLimits(permitLimits(config, this.#deps.descriptors));
  }

  onEnded(child: Child, end: ChildEnd): void {
    // What it answered a moment ago is stored, but it may not have told those who hold the sockets.
    if (child.readySince !== null && diedOf(end)) this.#bus.lost(child);
    this.mover.ended(child);
    this.#deps.door.ended(child);
    this.#bus.detach(child);
    this.#permits.detach(child);
    this.tasks.detach(child);
  }

  /** It is known to the next master before its call is answered. */
  async #claimNonce(
    args: ToMaster['calls']['nonce.claim']['args'],
  ): Promise<ToMaster['calls']['nonce.claim']['result']> {
    const { book, file } = this.#deps.nonces;
    const claimed = book.claim(args);
    if (claimed) await file.keep(claimed);
    return { fresh: claimed !== null };
  }

  handlersOf(child: Child): RelayHandlers {
    return {
      calls: {
        'permits.want': (args) => this.#permits.want(child, args),
        'nonce.claim': (args) => this.#claimNonce(args),
        'bus.follow': ({ uid }) => {
          this.#bus.follow(child, uid);
          return {};
        },
        'bus.probe': async () => {
          await this.#bus.probe(child);
          return {};
        },
        'workers.ask': (args) => askWorkers({ workers: this.#deps.workers(), log: this.#deps.log }, args),
        'node.figures': () => this.#deps.figures(),
        'node.troubles': () => this.#deps.troubles(),
        'task.run': (args) => this.tasks.run(args),
        'handoff.expect': (args) => this.mover.expect(child, args),
        'handoff.unknown': (args) => this.mover.unknown(child, args),
        'conn.backs': (args) => this.#deps.door.backs(child, args),
      },
      notes: {
        bus: ({ parcels }) => this.#bus.carry(child, parcels),
        'bus.lost': () => this.#bus.lost(child),
        'bus.unfollow': ({ uid }) => this.#bus.unfollow(child, uid),
        'permits.return': (args) => this.#permits.giveBack(child, args),
        'handoff.remaining': (args) => this.mover.remaining(child, args),
        'handoff.adopted': (args) => this.mover.adopted(child, args),
        'handoff.refused': (args) => this.mover.refused(child, args),
        'handoff.cancel': (args) => this.mover.cancel(child, args),
        'conn.taken': (args) => this.#deps.door.taken(child, args),
        'conn.holds': (args) => this.#deps.door.holds(child, args),
        leaving: () => this.onLeaving(child),
        staying: () => {
          if (!child.stopping) this.#deps.door.attach(child);
        },
        'memory.above': (args) => this.#deps.onMemoryAbove(child, args),
      },
      hands: {
        'handoff.session': (session, handle) => this.mover.session(child, session, handle),
        'conn.back': (args, handle) => this.#deps.door.back(child, args, handle),
      },
    };
  }
}

/** It did not end by itself, in order. */
function diedOf({ exitCode, signal }: ChildEnd): boolean {
  return signal !== null || exitCode !== 0;
}

function permitLimits(config: Config, descriptors: number | null): PermitLimits {
  const links = effectiveMaxLinks(config, descriptors);
  return { links, visitors: visitorShare(config, descriptors).max };
}
