import { type CommandHandler, requireLogin, stillWanted } from './command-context.js';

export const ack: CommandHandler<'ack'> = async (session, { ids }, { store, stats, clock }) => {
  const { uid } = requireLogin(session).data.login;
  const acked = await store.ack(uid, ids, clock.now(), stillWanted(session));
  stats.acks += acked;
  return { body: { acked } };
};
