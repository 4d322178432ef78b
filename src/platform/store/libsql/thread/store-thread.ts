/**
 * The store thread: owns the one connection, takes calls from its process, answers them in groups.
 *
 * It works without returning to its loop as long as there are calls: what arrives during one group is the next group.
 * It ends when its connection must be replaced; the process then starts another thread.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { assert } from '../../../../shared/base/assert.js';
import { type Moment, msBetween, msLater } from '../../../../shared/base/clock.js';
import { isSpushError } from '../../../../shared/base/errors.js';
import { systemClock } from '../../../clock/system-clock.js';
import { ExitGate } from '../exit-gate.js';
import type { Answer, Call, FromThread, ThreadData, ToThread } from '../store-calls.js';
import { CallQueue } from './call-queue.js';
import { type Connection, openConnection, whileBusy } from './connection.js';
import { allFailed, createGroupCommit, failed, type Outcome } from './group-commit.js';
import { createOperations, perform } from './operations.js';
import { faultOf, isBusy, spoilsConnection } from './store-faults.js';
import { StoreFile } from './store-file.js';

assert(parentPort !== null, 'the store thread was started as a program of its own');
/** Reads go on for so long before changes have their turn. */
const READ_MS = 10;

const port = parentPort;
const { file: path, create, lockWaitMs, gate: memory } = workerData as ThreadData;
const gate = new ExitGate(memory);
const file = new StoreFile(path);

gate.enter();
const opened = open();
if (opened === null) port.close();
else serve(opened);
gate.leave();

function open(): Connection | null {
  try {
    return openConnection(file, { create, lockWaitMs, gate });
  } catch (error) {
    if (!isSpushError(error)) throw error;
    tell({ type: 'refused', failure: { code: error.code, text: error.message } });
    return null;
  }
}

function serve({ db, highest }: Connection): void {
  const operations = createOperations(db, path);
  const groups = createGroupCommit(db, file, operations, { lockWaitMs });
  const queue = new CallQueue();
  let closing = false;

  tell({ type: 'opened', highest });
  port.on('message', (message: ToThread) => {
    gate.enter();
    take(message);
    work();
    gate.leave();
  });

  function take(message: ToThread): void {
    if (message.type === 'close') closing = true;
    else queue.push(message.calls);
  }

  function work(): void {
    for (;;) {
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
        take(next.message);
      const writes = queue.nextWrites();
      if (writes.length > 0 && !settle(groups.run(writes))) return;
      const first = queue.nextRead();
      if (first !== null && !settle(readSome(first))) return;
      if (writes.length === 0 && first === null) break;
    }
    if (closing) port.close();
  }

  /** Answers some calls; false when this thread has to end. */
  function settle({ answers, retire }: Outcome): boolean {
    if (answers.length > 0) tell({ type: 'answers', answers });
    if (retire === null) return true;
    tell({ type: 'retired', reason: retire.message });
    port.close();
    return false;
  }

  /** For a short time, so that changes do not wait for many reads, and answers do not gather. */
  function readSome(first: Call): Outcome {
    const change = file.changed();
    if (change?.reopen) return { answers: [], retire: change.fault };
    if (change) return allFailed([first], change.fault, null);
    const answers: Answer[] = [];
    const until = msLater(systemClock.moment(), READ_MS);
    for (let call: Call | null = first; call !== null; call = isBefore(until) ? queue.nextRead() : null) {
      try {
        const deadline = msLater(call.calledAt, lockWaitMs);
        const value = whileBusy(deadline, () => perform(operations, call.name, call.args));
        answers.push({ seq: call.seq, ok: true, value });
      } catch (error) {
        const fault = faultOf(path, error);
        answers.push(failed(call, fault));
        // A read that ends at a lock leaves its statement half begun (see database.ts).
        if (isBusy(error) || spoilsConnection(error)) return { answers, retire: fault };
      }
    }
    return { answers, retire: null };
  }
}

function isBefore(until: Moment): boolean {
  return msBetween(systemClock.moment(), until) > 0;
}

function tell(message: FromThread): void {
  port.postMessage(message);
}
