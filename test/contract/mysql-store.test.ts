import { afterAll, beforeAll, describe } from 'vitest';
import { MysqlStores } from '../support/mysql-stores.js';
import { mariadbProgram, OwnMariadb } from '../support/own-mariadb.js';
import { describeMessageStore } from './message-store-contract.js';

const program = mariadbProgram();

describe.skipIf(program === null)('with a server of its own,', () => {
  let server: OwnMariadb;

  beforeAll(async () => {
    server = await OwnMariadb.start(program ?? '');
  }, 90_000);
  afterAll(() => server?.stop());

  describeMessageStore('the MySQL store', async ({ clock }) => {
    const stores = await MysqlStores.make(server, { clock });
    return {
      store: await stores.open(),
      async reopen() {
        await stores.close();
        return stores.open();
      },
      another: () => stores.open(),
      close: () => stores.close(),
    };
  });
});
