/** `spush user show`: why did it not arrive? The user's connections on all nodes, what is pending, what is unread. */
import { systemClock } from '../../platform/clock/system-clock.js';
import { counted } from '../../shared/base/counted.js';
import { EXIT, SpushError } from '../../shared/base/errors.js';
import { NEXT_IDS_MAX, type UserShown } from '../../shared/protocol/inspections.js';
import { decimalNumber } from '../../shared/protocol/whole-number.js';
import { type CliAction, type GivenOptions, JSON_OPTION, MODE_OPTION } from '../action.js';
import { failureOf } from '../failure.js';
import { askMaster } from '../master-call.js';
import type { Terminal } from '../terminal.js';
import { backlogTable, connectionTable } from '../user-tables.js';

const NEXT_IDS = 5;
/** 19 digits each and a blank: three of them and the word before fit 80 columns. */
const IDS_IN_LINE = 3;

export const userShow: CliAction = {
  name: 'show',
  doc: 'show where a user is connected, and what is pending for the user',
  saidAs: ['get', 'info', 'status'],
  options: [
    {
      name: 'next',
      kind: 'value',
      label: '--next=N',
      doc: `how many of the next messages are named; ${NEXT_IDS} by default, at most ${NEXT_IDS_MAX}`,
    },
    MODE_OPTION,
    JSON_OPTION,
  ],
  words: { label: 'UID', max: 1 },
  run: async (context, options) => {
    const { terminal } = context;
    const shown = await askMaster(context, options, 'user.show', {
      uid: uidOf(options),
      next: nextOf(options),
    });
    const failure = failureIn(shown);
    if (options.flag('json')) {
      terminal.printJson({ ...shown, ...(failure ? { error: failureOf(failure) } : {}) });
    } else print(terminal, shown);
    return failure?.exitCode ?? EXIT.done;
  },
};

/** Null: all that was asked has answered. */
function failureIn({ storeFault, silent }: UserShown): SpushError | null {
  if (storeFault !== null) return new SpushError('STORE_UNAVAILABLE', storeText(storeFault));
  return silent.length > 0 ? new SpushError('NODES_SILENT', silentText(silent.join(', '))) : null;
}

function storeText({ text }: NonNullable<UserShown['storeFault']>): string {
  return `what is pending and unread cannot be known: ${text}`;
}

function silentText(names: string): string {
  return `no answer from ${names}; what it holds is not shown`;
}

function uidOf({ words: [word] }: GivenOptions): number {
  if (word === undefined) throw new SpushError('USAGE', 'say which user: spush user show UID');
  const uid = decimalNumber(word);
  if (uid) return uid;
  throw new SpushError(
    'USAGE',
    `${JSON.stringify(word)} is not the id of a user: expected a whole number from 1 to ${Number.MAX_SAFE_INTEGER}`,
  );
}

function nextOf(options: GivenOptions): number {
  const given = options.value('next');
  if (given === undefined) return NEXT_IDS;
  const next = decimalNumber(given);
  if (next !== null && next <= NEXT_IDS_MAX) return next;
  throw new SpushError('USAGE', `--next=${given}: expected a number from 0 to ${NEXT_IDS_MAX}`);
}

function print(terminal: Terminal, shown: UserShown): void {
  const { uid, known, connections, silent, store, storeFault, spilled } = shown;
  const options = { width: terminal.width, now: new Date(systemClock.now()) };
  const warn = (text: string): void => terminal.print(terminal.paint('red', `warning: ${text}`));
  if (known === false) {
    terminal.print(
      `nobody knows user ${uid}: no connection on any node, and no message for this user in the store`,
    );
    return;
  }
  terminal.print(headline(shown));
  if (connections.length > 0) terminal.print(connectionTable(connections, options));
  if (store !== null) {
    terminal.print(backlogTable(store, options));
    if (store.capped) terminal.print('there may be more of a kind: only the oldest are counted');
    for (const line of nextLines(store.next)) terminal.print(line);
  }
  for (const { node, pending } of spilled)
    warn(`${counted(pending, 'message')} for this user in the spill of ${node}, until the database has them`);
  for (const name of silent) warn(silentText(name));
  if (storeFault !== null) warn(storeText(storeFault));
}

function headline({ uid, connections, store }: UserShown): string {
  const count = connections.length;
  const online = count === 0 ? 'not connected' : counted(count, 'connection');
  const stored =
    store === null ? [] : [`${counted(store.pending, 'message')} pending`, `${store.unread.total} unread`];
  return `user ${uid}: ${[online, ...stored].join(', ')}`;
}

function nextLines(ids: readonly string[]): string[] {
  const lines: string[] = [];
  for (let from = 0; from < ids.length; from += IDS_IN_LINE)
    lines.push(`${from === 0 ? 'next:' : '     '} ${ids.slice(from, from + IDS_IN_LINE).join(' ')}`);
  return lines;
}
