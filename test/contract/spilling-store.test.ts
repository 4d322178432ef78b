/** With its server there, a store that spills is the server's store. */
import { afterAll, beforeAll, describe } from 'vitest';
import { mariadbProgram, OwnMariadb } from '../support/own-mariadb.js';
import { SpillingStores } from '../support/spilling-stores.js';
import { describeMessageStore } from './message-store-contract.js';

const program = mariadbProgram();

describe.skipIf(program === null)('with a server of its own,', () => {
  let server: OwnMariadb;

  beforeAll(async () => {
    server = await OwnMariadb.start(program ?? '');
  }, 90_000);
  afterAll(() => server?.stop());

  describeMessageStore('the store that spills', async ({ clock }) => {
    const stores = new SpillingStores(await server.makeDatabase());
    const open = async () => (await stores.open({ clock })).store;
    return {
      store: await open(),
      async reopen() {
        await stores.close();
        return open();
      },
      another: open,
      close: () => stores.close(),
    };
  });
});
