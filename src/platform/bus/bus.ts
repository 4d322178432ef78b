/**
 * The bus carries news between the processes and nodes that hold sockets. It carries news, never truth: what it loses is
 * in the store, and after a gap it says so.
 */
import type { BusEvent } from '../../shared/protocol/bus-events.js';
import type { Answers, QuestionName, Questions } from '../../shared/protocol/questions.js';

export interface Bus {
  /**
   * Told to every process that follows the user it concerns (or to all, when it is for all), this one included.
   * Does not wait and does not throw; events of one turn of the loop travel together, in order.
   */
  publish(event: BusEvent): void;

  /**
   * Resolves when every event of this user published from now on reaches this process, or will be made good by an `onGap`:
   * while the way is interrupted the user counts as followed, and `onGap` is told after his events come again. So whoever
   * reads the store after this resolved, and again on `onGap`, misses nothing. Rejects when neither can be promised; the
   * caller then says `unfollow` unless somebody else here follows the user.
   */
  follow(uid: number): Promise<void>;
  unfollow(uid: number): void;

  /**
   * Asks every process that holds sockets, on every node. Answers what came in time, and names who was silent.
   * `patient`: other nodes are waited for until the deadline too; otherwise 250 ms at most.
   */
  ask<Q extends QuestionName>(
    question: Q,
    args: Questions[Q]['args'],
    options: { deadlineMs: number; patient?: boolean },
  ): Promise<Answers<Questions[Q]['result']>>;

  /** Sends something to itself over the whole way and waits until it is back. Throws when it does not come. */
  probe(options: { deadlineMs: number }): Promise<ProbeResult>;

  close(): Promise<void>;
}

export interface ProbeResult {
  /**
   * What other processes had handed to Redis, or to the master, before the probe came there has come too. False in a Redis
   * Cluster without sharded pub/sub: each process talks to one server, the servers forward to each other, and nothing
   * orders what they forward.
   */
  readonly complete: boolean;
}

/** Stands among the silent ones when other nodes could not be asked at all. */
export const OTHERS_UNREACHED = 'other nodes: Redis is not reached';

export interface BusListener {
  onEvent(event: BusEvent): void;
  /**
   * Events may have been lost: read the store for the users held here.
   * @param since Unix ms: nothing published before was lost; null: not known, and not long ago
   */
  onGap(since: number | null): void;
}
