/**
 * Runs a group of calls that change something: one transaction, one commit, each call in a savepoint of its own.
 *
 * Promises: a call that fails takes back its own changes and no others; when the transaction cannot begin or commit,
 * every call of the group has failed and nothing is changed; no answer exists before the commit.
 */
import { type Moment, msBetween, msLater } from '../../../../shared/base/clock.js';
import type { SpushError } from '../../../../shared/base/errors.js';
import type { Answer, Call } from '../store-calls.js';
import { whileBusy } from './connection.js';
import type { Database } from './database.js';
import { type Operations, perform } from './operations.js';
import { faultOf, spoilsConnection } from './store-faults.js';
import type { StoreFile } from './store-file.js';

/** What became of some calls. Those without an answer were not begun: the thread retires, they go to the next one. */
export interface Outcome {
  readonly answers: readonly Answer[];
  /** Why the connection must be replaced, or null. */
  readonly retire: SpushError | null;
}

export interface GroupCommit {
  run(calls: readonly Call[]): Outcome;
}

export function createGroupCommit(
  db: Database,
  file: StoreFile,
  operations: Operations,
  { lockWaitMs }: { readonly lockWaitMs: number },
): GroupCommit {
  function attempt(calls: readonly Call[]): Outcome {
    // Counted from the oldest call, so that those who waited through one long lock do not wait through the next.
    const deadline = msLater(earliest(calls.map(({ calledAt }) => calledAt)), lockWaitMs);
    try {
      whileBusy(deadline, () => db.exec('BEGIN IMMEDIATE'));
      const before = file.changed();
      if (before !== null) {
        db.exec('ROLLBACK');
        if (before.reopen) return { answers: [], retire: before.fault };
        return allFailed(calls, before.fault, null);
      }
      const answers = calls.map(performOne);
      db.exec('COMMIT');
      const after = file.changed();
      if (after !== null) return allFailed(calls, after.fault, after.reopen ? after.fault : null);
      return { answers, retire: null };
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }

  function performOne(call: Call): Answer {
    db.exec('SAVEPOINT call');
    try {
      const value = perform(operations, call.name, call.args);
      db.exec('RELEASE call');
      return { seq: call.seq, ok: true, value };
    } catch (error) {
      // Some errors (no room, disk) make SQLite take back the whole transaction, savepoints and all.
      if (!db.inTransaction || spoilsConnection(error)) throw new GroupLost(call, error);
      db.exec('ROLLBACK TO call; RELEASE call');
      return failed(call, faultOf(file.path, error));
    }
  }

  /** One call too big for the disk must not take the small ones with it: they get one more try without it. */
  function withoutTheLost(calls: readonly Call[], lost: GroupLost): Outcome {
    const rest = calls.filter((call) => call !== lost.call);
    const answer = failed(lost.call, faultOf(file.path, lost.cause));
    const outcome = orAllFailed(rest, () => attempt(rest));
    return { answers: [answer, ...outcome.answers], retire: outcome.retire };
  }

  function orAllFailed(calls: readonly Call[], work: () => Outcome): Outcome {
    try {
      return work();
    } catch (error) {
      const cause = error instanceof GroupLost ? error.cause : error;
      const fault = faultOf(file.path, cause);
      return allFailed(calls, fault, spoilsConnection(cause) ? fault : null);
    }
  }

  return {
    run: (calls) =>
      orAllFailed(calls, () => {
        try {
          return attempt(calls);
        } catch (error) {
          if (error instanceof GroupLost && calls.length > 1 && !spoilsConnection(error.cause))
            return withoutTheLost(calls, error);
          throw error;
        }
      }),
  };
}

export function failed(call: Call, fault: SpushError): Answer {
  return { seq: call.seq, ok: false, failure: { code: fault.code, text: fault.message } };
}

export function allFailed(calls: readonly Call[], fault: SpushError, retire: SpushError | null): Outcome {
  return { answers: calls.map((call) => failed(call, fault)), retire };
}

/** At least one. */
function earliest(moments: readonly Moment[]): Moment {
  return moments.reduce((first, next) => (msBetween(next, first) > 0 ? next : first));
}

/** A call failed and the transaction does not exist any more. */
class GroupLost extends Error {
  readonly call: Call;

  constructor(call: Call, cause: unknown) {
    super('the transaction is gone', { cause });
    this.call = call;
  }
}
