import { CLOSE } from '../../shared/protocol/close-codes.js';
import type { Questions } from '../../shared/protocol/questions.js';
import type { Connection } from './live-session.js';

/** Seconds. */
const RETRY_AFTER = 1;

/**
 * Closes a connection of a user who was kicked. Of a late kick it is not known whether this login was made after it: its
 * client comes back and shows its key again, which the main site refuses or not.
 */
export function endKicked(connection: Pick<Connection, 'end'>, kick: Questions['kick']['args']): void {
  if (kick.late) connection.end(CLOSE.tryLater, kick.reason, RETRY_AFTER);
  else connection.end(CLOSE.kicked, kick.reason, null);
}
