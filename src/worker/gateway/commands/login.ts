import { SpushError } from '../../../shared/base/errors.js';
import { isOf } from '../../sessions/live-session.js';
import { type CommandHandler, stillWanted } from './command-context.js';

/**
 * Asks whose key it is, registers the session, answers, then replays what is pending. Registering comes before reading:
 * a message that is stored meanwhile is either in the replay or comes live.
 */
export const login: CommandHandler<'login'> = async (session, body, { desk, store, replays, log }) => {
  const value = body.ukey ?? body.token;
  if (value === undefined) throw new SpushError('BAD_REQUEST', 'ukey or token is missing');
  const channel = body.ukey === undefined ? 'app' : 'web';
  const { login, fresh } = await desk.login(session, {
    key: { channel, value },
    ack: body.ack ?? false,
    device: body.device ?? null,
  });
  const { uid } = login;
  try {
    const unread = await store.unread(uid, stillWanted(session));
    if (log.debugging) {
      const { id, address } = session.data;
      const { device, ack } = login;
      log.debug('login.accepted', { uid, session: id, channel, device, ack, address, fresh });
    }
    return {
      body: { uid, session: session.data.id, unread },
      afterReply: () => {
        // A logout, or another login, may have come meanwhile; or one with the same key that has begun it, or failed and did not.
        const isHeld = session.replay !== null && !session.replay.running;
        if (isHeld && session.data.login?.since === login.since && isOf(session, uid))
          replays.start(session, null);
      },
    };
  } catch (error) {
    // Not told that it is logged in, so it must not be: the client tries again.
    await desk.logout(session, login);
    throw error;
  }
};
