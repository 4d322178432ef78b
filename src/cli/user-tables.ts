/** The tables of `user show`: where the user is connected, and what the store has for the user, by kind. */
import { KINDS, type Kind } from '../shared/domain/kind.js';
import type { ShownBacklogs, ShownConnection, UserShown } from '../shared/protocol/inspections.js';
import { duration, memory, shortTime, text, time } from './figures.js';
import { type FittedColumn, fitTable, type Layout } from './fitted-table.js';
import { plainText } from './plain-text.js';

interface TableOptions {
  readonly width: number;
  readonly now: Date;
}

type Column = FittedColumn<ShownConnection>;

const NODE: Column = { title: 'node', cell: ({ node }) => node };
const PROCESS: Column = { title: 'process', cell: (one) => processName(one) };
const CHANNEL: Column = { title: 'by', cell: ({ channel }) => channel };
const DEVICE: Column = { title: 'device', cell: ({ device }) => plainText(text(device)) };
const ADDRESS: Column = { title: 'address', cell: ({ address }) => text(address) };
const SINCE: Column = { title: 'logged in', cell: ({ since }) => time(since) };
const HEARD: Column = { title: 'heard of', cell: ({ heardMsAgo }) => ago(heardMsAgo) };
const STATE: Column = { title: 'state', cell: (one) => stateOf(one).join(', ') };
const SESSION: Column = { title: 'session', cell: ({ session }) => session };

export function connectionTable(
  connections: readonly ShownConnection[],
  { width, now }: TableOptions,
): string {
  const narrow: Layout<ShownConnection> = [
    { title: 'where', cell: (one) => `${one.node}\n${processName(one)}` },
    {
      title: 'client',
      cell: ({ channel, device, address }) =>
        `${channel}${device === null ? '' : ` ${plainText(device)}`}\n${text(address)}`,
    },
    { title: 'logged in', cell: ({ since }) => shortTime(since, now) },
    HEARD,
    { title: 'state', cell: (one) => stateOf(one).join('\n') },
  ];
  const full = [NODE, PROCESS, CHANNEL, DEVICE, ADDRESS, SINCE, HEARD, STATE, SESSION];
  return fitTable([full, narrow], connections, { width }).text;
}

/** What a supporter should see of a connection, in words. */
function stateOf(one: ShownConnection): string[] {
  const words: string[] = [];
  if (one.ack === null) return ['not told'];
  words.push(one.ack ? 'acknowledges' : 'does not acknowledge');
  if (one.unconfirmed) words.push(`${one.unconfirmed} unconfirmed`);
  if (one.silentMs !== null) words.push(`silent for ${duration(one.silentMs)} since a push`);
  if (one.unsentBytes) words.push(`slow: ${memory(one.unsentBytes, 1)} unsent`);
  if (one.leftOut) words.push('slow: live copies left out');
  if (one.replaying) words.push('being sent what is pending');
  return words;
}

/** `Worker.0` of the title. */
function processName({ process }: ShownConnection): string {
  return process.split('.').slice(-2).join('.');
}

function ago(ms: number | null): string {
  return ms === null ? '-' : `${duration(ms)} ago`;
}

type KindRow = ShownBacklogs[Kind] & { readonly kind: string; readonly unread: number | null };

export function backlogTable(store: NonNullable<UserShown['store']>, { width, now }: TableOptions): string {
  const rows = KINDS.map((kind): KindRow => ({ kind, ...store.kinds[kind], unread: store.unread[kind] }));
  const layout = (oldest: (iso: string | null) => string): Layout<KindRow> => [
    { title: 'kind', cell: ({ kind }) => kind },
    { title: 'pending', cell: ({ count }) => text(count) },
    { title: 'of these sent', cell: ({ sent }) => text(sent) },
    { title: 'wait for job', cell: ({ held }) => text(held) },
    { title: 'oldest', cell: ({ oldestAt }) => oldest(oldestAt) },
    { title: 'unread', cell: ({ unread }) => text(unread) },
  ];
  return fitTable([layout(time), layout((iso) => shortTime(iso, now))], rows, { width }).text;
}
