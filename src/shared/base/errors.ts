/**
 * The one table of errors that are expected: what a peer, an operator or the world can cause.
 *
 * Each code has a default text's shape in `docs/ERRORS.md`, an HTTP status for answers on the wire, and an
 * exit code for the command line. What cannot happen is an `AssertionError` (see assert.ts), not one of these.
 */

export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notRunning: 3,
  noAnswer: 4,
  noPermission: 5,
  config: 78,
} as const;

interface ErrorClass {
  /** HTTP status, and `code` of a WebSocket reply. */
  readonly status: number;
  /** Exit code of the command line. */
  readonly exit: number;
}

export const ERROR_CODES = {
  /** A peer sent something that does not fit the protocol. */
  BAD_REQUEST: { status: 400, exit: EXIT.usage },
  /** No valid proof of identity: signature, token or login. */
  UNAUTHORIZED: { status: 401, exit: EXIT.failed },
  /** Identity is not the matter; this peer may not. */
  FORBIDDEN: { status: 403, exit: EXIT.noPermission },
  NOT_FOUND: { status: 404, exit: EXIT.failed },
  METHOD_NOT_ALLOWED: { status: 405, exit: EXIT.failed },
  /** What a peer sends comes too slowly to wait for. */
  TOO_SLOW: { status: 408, exit: EXIT.failed },
  TOO_LARGE: { status: 413, exit: EXIT.failed },
  UNSUPPORTED_MEDIA: { status: 415, exit: EXIT.failed },
  TOO_MANY: { status: 429, exit: EXIT.failed },
  INTERNAL: { status: 500, exit: EXIT.failed },
  /** The store cannot keep what is offered; nothing was accepted. */
  STORE_UNAVAILABLE: { status: 503, exit: EXIT.failed },
  /** The store's queue is full; nothing was accepted. */
  STORE_BUSY: { status: 503, exit: EXIT.failed },
  /** The store's schema is newer than this program. */
  STORE_SCHEMA_NEWER: { status: 503, exit: EXIT.failed },
  /** The main site cannot be asked who a key belongs to. */
  GZCP_UNAVAILABLE: { status: 503, exit: EXIT.failed },
  /** The main site says that the key belongs to nobody, or its answer cannot be trusted. */
  LOGIN_REFUSED: { status: 401, exit: EXIT.failed },
  /** MaxLinkNumber or a budget is used up. */
  LINKS_FULL: { status: 503, exit: EXIT.failed },
  SHUTTING_DOWN: { status: 503, exit: EXIT.failed },
  CONFIG_INVALID: { status: 500, exit: EXIT.config },
  /** A start or restart would run in another environment than before, and nobody has agreed to that. */
  ENVIRONMENT_CHANGED: { status: 409, exit: EXIT.config },
  USAGE: { status: 400, exit: EXIT.usage },
  /** The person who was asked said no. */
  CANCELLED: { status: 409, exit: EXIT.failed },
  NOT_RUNNING: { status: 503, exit: EXIT.notRunning },
  ALREADY_RUNNING: { status: 409, exit: EXIT.failed },
  START_FAILED: { status: 500, exit: EXIT.failed },
  STOP_FAILED: { status: 500, exit: EXIT.failed },
  PORT_TAKEN: { status: 500, exit: EXIT.failed },
  CONTROL_NO_ANSWER: { status: 504, exit: EXIT.noAnswer },
  CONTROL_NO_PERMISSION: { status: 403, exit: EXIT.noPermission },
  /** What came over the control socket is not an answer of a master of this version. */
  CONTROL_BAD_ANSWER: { status: 502, exit: EXIT.failed },
  CONTROL_BAD_REQUEST: { status: 400, exit: EXIT.failed },
  CONTROL_COMMAND_UNKNOWN: { status: 404, exit: EXIT.failed },
  /** The other process did not answer in time, or ended before it answered. */
  RPC_TIMEOUT: { status: 504, exit: EXIT.noAnswer },
  RPC_PEER_GONE: { status: 503, exit: EXIT.failed },
  /** What was asked for may be with processes or nodes that did not answer. */
  NODES_SILENT: { status: 504, exit: EXIT.noAnswer },
  RPC_BUSY: { status: 503, exit: EXIT.failed },
  TASK_UNKNOWN: { status: 404, exit: EXIT.failed },
  TASK_FAILED: { status: 500, exit: EXIT.failed },
  TASK_BUSY: { status: 503, exit: EXIT.failed },
  TASK_TIMEOUT: { status: 504, exit: EXIT.failed },
  CRON_JOB_UNKNOWN: { status: 404, exit: EXIT.failed },
  CRON_NOT_RUNNING: { status: 503, exit: EXIT.failed },
  CRON_ALREADY_STOPPED: { status: 409, exit: EXIT.failed },
  CRON_NOT_STOPPED: { status: 409, exit: EXIT.failed },
  CRON_RULE_INVALID: { status: 400, exit: EXIT.failed },
  PROCESS_UNKNOWN: { status: 404, exit: EXIT.failed },
  /** A reload or a replacement of processes is under way already. */
  RELOAD_RUNNING: { status: 409, exit: EXIT.failed },
  /** A new process did not come up; the old ones go on. */
  RELOAD_FAILED: { status: 500, exit: EXIT.failed },
  CONFIG_KEY_UNKNOWN: { status: 404, exit: EXIT.usage },
  /** The key takes effect with the next start only. */
  CONFIG_KEY_RESTART: { status: 409, exit: EXIT.failed },
  CONFIG_VALUE_INVALID: { status: 400, exit: EXIT.config },
} as const satisfies Record<string, ErrorClass>;

export type ErrorCode = keyof typeof ERROR_CODES;

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERROR_CODES, value);
}

export interface SpushErrorOptions {
  cause?: unknown;
  /** Machine-readable particulars, e.g. `errors: [{path, message}]`; they go to the peer, so no secrets. */
  detail?: Readonly<Record<string, unknown>>;
}

/** An expected error. The text says who, what, which value, and what to do next. */
export class SpushError extends Error {
  readonly code: ErrorCode;
  readonly detail: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: SpushErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SpushError';
    this.code = code;
    this.detail = options.detail ?? {};
  }

  /** HTTP status, and `code` of a WebSocket reply. */
  get status(): number {
    return ERROR_CODES[this.code].status;
  }

  /** Exit code of the command line. */
  get exitCode(): number {
    return ERROR_CODES[this.code].exit;
  }
}

/**
 * What strangers are told of a fault on our side, by code: texts of SpushErrors name paths, hosts, users and statements, for
 * the person who has to mend it. Those the log has, and callers from the operators' addresses get.
 */
const OUTSIDE_TEXTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  STORE_UNAVAILABLE: 'the store cannot be reached at the moment: nothing was accepted, try again',
  STORE_BUSY: 'the store has too much to do at the moment: nothing was accepted, try again',
  GZCP_UNAVAILABLE: 'the main site cannot be asked at the moment: try again',
  LINKS_FULL: 'there is no room for another connection',
  SHUTTING_DOWN: 'this server is stopping: try again',
  INTERNAL: 'something went wrong here; it is logged',
};

/** The same error as a stranger may read it; what is his own fault stays as it is. */
export function forStrangers(error: SpushError): SpushError {
  if (error.status < 500) return error;
  const text = OUTSIDE_TEXTS[error.code] ?? 'this cannot be done at the moment: try again';
  return new SpushError(error.code, text, { cause: error });
}

export function isSpushError(error: unknown, code?: ErrorCode): error is SpushError {
  return error instanceof SpushError && (code === undefined || error.code === code);
}

/** The text of anything thrown, for logs and answers. What operators write may throw what has no text. */
export function errorText(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return Object.prototype.toString.call(error);
  }
}
