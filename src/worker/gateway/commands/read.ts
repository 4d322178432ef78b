import { randomBytes } from 'node:crypto';
import { type CommandHandler, requireLogin, stillWanted } from './command-context.js';

/** Read here is read on the user's other devices too: they are told when something changed. */
export const read: CommandHandler<'read'> = async (session, mark, { store, bus, clock }) => {
  const { uid } = requireLogin(session).data.login;
  const changed = await store.read(uid, mark, clock.now(), stillWanted(session));
  if (changed > 0) {
    const n = randomBytes(9).toString('base64url');
    bus.publish({ t: 'read', uid, session: session.data.id, n, mark });
  }
  return { body: { read: changed } };
};
