/** `spush message show`: why did it not arrive? What became of a message; never what it says. */
import { EXIT, SpushError } from '../../shared/base/errors.js';
import { isMessageId, type MessageId } from '../../shared/domain/message-id.js';
import type { MessageShown } from '../../shared/protocol/inspections.js';
import { type CliAction, type GivenOptions, JSON_OPTION, MODE_OPTION } from '../action.js';
import { time } from '../figures.js';
import { askMaster } from '../master-call.js';
import { renderTable } from '../table.js';

export const messageShow: CliAction = {
  name: 'show',
  doc: 'show what became of a message, but not what it says',
  saidAs: ['get', 'info', 'status'],
  options: [MODE_OPTION, JSON_OPTION],
  words: { label: 'ID', max: 1 },
  run: async (context, options) => {
    const { terminal } = context;
    const shown = await askMaster(context, options, 'message.show', { id: idOf(options) });
    if (options.flag('json')) terminal.printJson(shown);
    else {
      const rows = rowsOf(shown).map(([item, value]) => ({ item, value }));
      terminal.print(renderTable([{ key: 'item' }, { key: 'value' }], rows, { width: terminal.width }));
    }
    return EXIT.done;
  },
};

function idOf({ words: [word] }: GivenOptions): MessageId {
  if (word === undefined) throw new SpushError('USAGE', 'say which message: spush message show ID');
  if (isMessageId(word)) return word;
  throw new SpushError('USAGE', `${JSON.stringify(word)} is not the id of a message: expected 19 digits`);
}

function rowsOf(shown: MessageShown): [string, string][] {
  const { id, kind, uid, deliver, storedIn, node, bytes, receipts } = shown;
  return [
    ['id', id],
    ['kind', kind],
    ['uid', uid === null ? 'everybody' : String(uid)],
    ['state', stateText(shown)],
    ['deliver', deliver],
    ['accepted', time(shown.createdAt)],
    ['expires', time(shown.expiresAt)],
    ['sent', time(shown.sentAt)],
    ['acknowledged', time(shown.ackedAt)],
    ['read', time(shown.readAt)],
    ...(receipts === null
      ? []
      : [
          ['receipts', `sent ${receipts.sent}, acknowledged ${receipts.acked}, read ${receipts.read}`] as [
            string,
            string,
          ],
        ]),
    ['stored in', storedIn === 'store' ? 'the store' : `the spill of ${node}, until the database has it`],
    ['bytes', String(bytes)],
  ];
}

function stateText({ state, replacedBy, settled, waitsForJob, uid }: MessageShown): string {
  switch (state) {
    case 'pending':
      return waitsForJob === null
        ? 'pending: not sent to anybody yet'
        : `pending: waits for the next run of ${waitsForJob}`;
    case 'sent':
      if (uid === null) return 'sent: see receipts';
      return settled
        ? 'sent: the client does not acknowledge, and is known to have it'
        : 'sent: written to a connection, not acknowledged; it comes again';
    case 'acked':
      return 'acked: a client of the user has it';
    case 'read':
      return 'read: the user has read it';
    case 'expired':
      return settled ? 'expired, after it had reached a client' : 'expired: nobody acknowledged it in time';
    case 'replaced':
      return replacedBy === null
        ? 'replaced by a newer message of the same collapse, which is deleted already'
        : `replaced by ${replacedBy}, a newer message of the same collapse`;
  }
}
