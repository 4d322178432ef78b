import { type CommandHandler, requireLogin, stillWanted } from './command-context.js';

export const unread: CommandHandler<'unread'> = async (session, _body, { store }) => ({
  body: await store.unread(requireLogin(session).data.login.uid, stillWanted(session)),
});
