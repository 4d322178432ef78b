/**
 * What is wrong and does not stop delivery: the log cannot be written, the pid file is gone. The names are those that
 * `server status`, the log and the metrics show; docs/OPERATIONS.md says of each what to do.
 */
export const TROUBLE_NAMES = [
  /** The log file cannot be opened or written. */
  'log',
  /** Standard output or error is gone, or nobody reads it. */
  'console',
  /** The log cannot be moved away, or old ones cannot be deleted. */
  'logRotation',
  /** Temp/, Log/ or Data/ is not there and cannot be made. */
  'folders',
  /** Others may read what they should not, and this process may not change it. */
  'fileModes',
  /** The pid file or the file with the identity of the master cannot be written. */
  'instanceFiles',
  /** The file that says of which environment the data is cannot be written. */
  'environmentRecord',
  /** The control socket cannot be made. */
  'controlSocket',
  /** The kernel does not let this master claim its mode, so a second start is noticed by files alone. */
  'modeClaim',
  /** What the crontab remembers cannot be written. */
  'crontabState',
  /** The nonces of signed calls cannot be written. */
  'nonces',
  /** systemd cannot be told. */
  'notify',
  /** The main site failed so often that it is not asked any more which user a login key belongs to. */
  'mainSite',
  /** A Worker does not answer connections through the front door. */
  'frontDoor',
  /** The limit of open files leaves room for fewer connections than MaxLinkNumber. */
  'descriptors',
  /** Processes of this node run different versions of the program. */
  'versions',
] as const;
export type TroubleName = (typeof TROUBLE_NAMES)[number];

export interface Trouble {
  readonly name: TroubleName;
  /** What, where, why, and what to do. */
  readonly text: string;
  /** Unix ms: when it began. */
  readonly since: number;
  /** Tries that failed since then; for the log, lines that are not in it. */
  readonly failures: number;
}

/** The troubles of one process. */
export interface TroubleReport {
  /** Those that last, the oldest first. */
  readonly now: readonly Trouble[];
  /** Failed tries since the process started, also of troubles that are over. */
  readonly failures: Readonly<Partial<Record<TroubleName, number>>>;
}
