/** Every call of the store by its name; a call without its operation does not compile. */
import type { AnswerOf, ArgsOf, CallName } from '../store-calls.js';
import { acceptOperations } from './accept.js';
import type { Database } from './database.js';
import { deliveryOperations } from './delivery.js';
import { inboxOperations } from './inbox.js';
import { inspectOperations } from './inspect.js';
import { spillOperations } from './spill.js';
import { upkeepOperations } from './upkeep.js';

export type Operations = { readonly [N in CallName]: (args: ArgsOf<N>) => AnswerOf<N> };

export function createOperations(db: Database, file: string): Operations {
  return {
    ...acceptOperations(db, file),
    ...deliveryOperations(db),
    ...inboxOperations(db),
    ...inspectOperations(db),
    ...upkeepOperations(db, file),
    ...spillOperations(db),
  };
}

export function perform<N extends CallName>(operations: Operations, name: N, args: ArgsOf<N>): AnswerOf<N> {
  return operations[name](args);
}
