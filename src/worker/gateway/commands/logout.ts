import type { CommandHandler } from './command-context.js';

/** The connection stays, as a visitor. */
export const logout: CommandHandler<'logout'> = async (session, _body, { desk }) => {
  await desk.logout(session);
  return { body: {} };
};
