/** Online: where messages are kept, MySQL or MariaDB. The password is not written here: set SPUSH_DB_PASSWORD. */
import type { DbConf } from '../../src/platform/config/config-schema.js';

export default {
  // Put in your own: a start refuses names out of this sample (.example).
  host: 'db.gzcp.example',
  port: 3306,
  user: 'spush',
  database: 'spush',
  // Connections of each process: Workers and TaskWorkers together must stay below max_connections of the server.
  poolSize: 4,
  // true: while the server is away, messages are accepted into a file of this node and moved over when it is back.
  spill: false,
} satisfies DbConf;
