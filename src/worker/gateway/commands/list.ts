import { RawJson } from '../../../shared/base/raw-json.js';
import { itemsText } from '../../../shared/protocol/ws-frames.js';
import { type CommandHandler, pageFor, requireLogin } from './command-context.js';

/** How long a client may show its copy; spread, so that pages opened together do not come back together. */
const CACHE_SECONDS_MIN = 300;
const CACHE_SECONDS_MAX = 600;

export const list: CommandHandler<'list'> = async (session, body, { store }) => {
  const { uid } = requireLogin(session).data.login;
  const query = {
    limit: body.limit,
    ...(body.kind ? { kind: body.kind } : {}),
    ...(body.unread === undefined ? {} : { unread: body.unread }),
    ...(body.cursor ? { cursor: body.cursor } : {}),
  };
  const { items, next } = await store.list(uid, query, pageFor(session));
  const cacheSeconds =
    CACHE_SECONDS_MIN + Math.floor(Math.random() * (CACHE_SECONDS_MAX - CACHE_SECONDS_MIN + 1));
  const page = `{"items":${itemsText(items)},"next":${JSON.stringify(next)},"cacheSeconds":${cacheSeconds}}`;
  return { body: new RawJson(page) };
};
