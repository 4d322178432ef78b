import { LibsqlStores } from '../support/libsql-stores.js';
import { describeMessageStore } from './message-store-contract.js';

describeMessageStore('the embedded store', async ({ clock }) => {
  const stores = await LibsqlStores.make({ clock });
  return {
    store: await stores.open(),
    async reopen() {
      await stores.close();
      return stores.open();
    },
    another: () => stores.open(),
    close: () => stores.dispose(),
  };
});
