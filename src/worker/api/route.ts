/** A route: which call, who may make it, what it does. The table of all routes is made of these. */
import type { AccessRule } from './access.js';
import type { Answer } from './answer.js';

export interface Call {
  /** Values of the pattern's parameters. */
  readonly params: Readonly<Record<string, string>>;
  /** The parsed body; throws BAD_REQUEST or UNSUPPORTED_MEDIA. */
  readonly body: () => unknown;
  /** The id of the key that the call was proved with; null: it needed none. */
  readonly key: string | null;
  /** The caller is at an address of operators: faults on our side are told with paths and hosts. */
  readonly isOperator: boolean;
}

export interface Route {
  /** GET answers HEAD too. */
  readonly method: 'GET' | 'POST';
  readonly pattern: string;
  readonly access: AccessRule;
  readonly handle: (call: Call) => Promise<Answer> | Answer;
}
