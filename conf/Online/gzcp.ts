/** Online: the main site, which knows whose login key it is. The shared secret: SPUSH_GZCP_SECRET. */
import type { GzcpConf } from '../../src/platform/config/config-schema.js';

export default {
  // Put in your own: a start refuses names out of this sample (.example).
  verifyUrl: 'https://www.gzcp.example/push/user/getappuid',

  // Makes the `token` parameter of a call; null: md5 of timestamp + loginkey + secret, in hex. A function of your own:
  //
  //   import { createHash } from 'node:crypto';
  //   token: (timestamp, loginkey, secret) =>
  //     createHash('md5').update(timestamp + loginkey + secret).digest('hex'),
  token: null,

  // Time for an answer in milliseconds, the retry included, and calls at a time of the whole node.
  deadlineMs: 3000,
  concurrency: 64,
  // How long a good answer is kept: a storm of reconnects must not become a storm on the main site.
  cacheSeconds: 30,
} satisfies GzcpConf;
