/** Two servers that replicate to each other; one of them takes changes. An operator's planned fail-over by read-only settings. */
import { OwnMariadb } from './own-mariadb.js';

const CATCH_UP_SECONDS = 20;

export class ReplicatedMariadb {
  readonly servers: readonly [OwnMariadb, OwnMariadb];
  #primary = 0;

  private constructor(servers: readonly [OwnMariadb, OwnMariadb]) {
    this.servers = servers;
  }

  static async start(program: string): Promise<ReplicatedMariadb> {
    const start = (id: number) =>
      OwnMariadb.start(program, [
        `--server-id=${id}`,
        '--log-bin=log',
        '--binlog-format=MIXED',
        '--log-slave-updates',
        '--slave-net-timeout=5',
      ]);
    const servers = await Promise.all([start(1), start(2)]);
    const pair = new ReplicatedMariadb([servers[0], servers[1]]);
    await pair.#replicate(servers[0], servers[1]);
    await pair.#replicate(servers[1], servers[0]);
    await servers[1].asRoot((root) => root.query('SET GLOBAL read_only = 1'));
    return pair;
  }

  get primary(): OwnMariadb {
    return this.servers[this.#primary === 0 ? 0 : 1];
  }

  get replica(): OwnMariadb {
    return this.servers[this.#primary === 0 ? 1 : 0];
  }

  /** The primary takes no changes any more; those that it has answered are on their way. */
  async demote(): Promise<void> {
    await this.primary.asRoot((root) => root.query('SET GLOBAL read_only = 1'));
  }

  /** The replica has everything, and takes changes from now on. */
  async promote(): Promise<void> {
    const [position] = await this.primary.asRoot(async (root) => {
      const [rows] = await root.query('SELECT @@gtid_binlog_pos AS position');
      return rows as { position: string }[];
    });
    await this.replica.asRoot(async (root) => {
      const [rows] = await root.query(
        `SELECT MASTER_GTID_WAIT('${position?.position}', ${CATCH_UP_SECONDS}) AS late`,
      );
      if ((rows as { late: number }[])[0]?.late !== 0) throw new Error('the replica does not catch up');
      await root.query('SET GLOBAL read_only = 0');
    });
    this.#primary = 1 - this.#primary;
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  async #replicate(from: OwnMariadb, to: OwnMariadb): Promise<void> {
    await from.asRoot(async (root) => {
      await root.query('SET SESSION sql_log_bin = 0');
      await root.query(`CREATE USER 'replica'@'%' IDENTIFIED BY 'replica'`);
      await root.query(`GRANT REPLICATION SLAVE ON *.* TO 'replica'@'%'`);
    });
    await to.asRoot(async (root) => {
      await root.query(
        `CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = ${from.port}, MASTER_USER = 'replica',
           MASTER_PASSWORD = 'replica', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1`,
      );
      await root.query('START SLAVE');
    });
  }
}
