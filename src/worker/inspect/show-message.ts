/**
 * Why did it not arrive? All that is known of a message, but for what it says: from the store, from this node's spill, then from
 * the spills of the other nodes. Where not all of them could be asked, "unknown" is not said.
 */
import type { Bus } from '../../platform/bus/bus.js';
import { nameIn } from '../../platform/bus/bus-identity.js';
import type { MessageStore } from '../../platform/store/message-store.js';
import { SpushError } from '../../shared/base/errors.js';
import { type Kind, SWEEP_JOBS } from '../../shared/domain/kind.js';
import type { MessageFacts } from '../../shared/domain/message.js';
import { type MessageId, messageIdTime } from '../../shared/domain/message-id.js';
import type { MessageShown } from '../../shared/protocol/inspections.js';
import { inTime, type Part } from './in-time.js';
import { iso } from './iso.js';

const STORE_DEADLINE_MS = 1000;
/** Short, because the whole answer has to come before the master's deadline. */
const STORE_AGAIN_DEADLINE_MS = 100;
const SPILLS_DEADLINE_MS = 900;
/** The bus names those that do not answer before this is over. */
const BUS_MARGIN_MS = 500;

export interface ShowMessageDeps {
  readonly store: Pick<MessageStore, 'inspect'>;
  readonly bus: Pick<Bus, 'ask'>;
  /** This node, told apart from others of its name. */
  readonly node: string;
  /** Whether there are spills. */
  readonly hasSpills: boolean;
}

export async function showMessage(
  { store, bus, node, hasSpills }: ShowMessageDeps,
  id: MessageId,
): Promise<MessageShown> {
  const own = await askStore(store, id, STORE_DEADLINE_MS);
  if (own.value !== null) return shownOf(own.value, node);
  if (!hasSpills) throw notFound(id, own.fault, []);
  const others = await askSpills(bus, id);
  if (others.found) return shownOf(others.found.message, others.found.node);
  if (own.fault !== null || others.silent.length > 0) throw notFound(id, own.fault, others.silent);
  // A spill is moved to the store when the database is back: the message may have gone there since the store was asked.
  const again = await askStore(store, id, STORE_AGAIN_DEADLINE_MS);
  if (again.value !== null) return shownOf(again.value, node);
  throw notFound(id, again.fault, []);
}

function askStore(
  store: ShowMessageDeps['store'],
  id: MessageId,
  deadlineMs: number,
): Promise<Part<MessageFacts | null>> {
  return inTime(store.inspect(id), { who: 'the store', code: 'STORE_UNAVAILABLE', deadlineMs });
}

async function askSpills(
  bus: Pick<Bus, 'ask'>,
  id: MessageId,
): Promise<{
  readonly found: { readonly node: string; readonly message: MessageFacts } | null;
  readonly silent: readonly string[];
}> {
  const asked = await inTime(bus.ask('spilled', { id }, { deadlineMs: SPILLS_DEADLINE_MS, patient: true }), {
    who: 'the bus',
    code: 'NODES_SILENT',
    deadlineMs: SPILLS_DEADLINE_MS + BUS_MARGIN_MS,
  });
  if (asked.fault !== null) return { found: null, silent: [asked.fault.message] };
  for (const { result } of asked.value.answers) {
    const { node, message } = result;
    if (message !== null) return { found: { node, message }, silent: [] };
  }
  return { found: null, silent: asked.value.silent };
}

function notFound(id: MessageId, fault: SpushError | null, silent: readonly string[]): SpushError {
  const missing = silent.length === 0 ? '' : `; no answer from: ${silent.join(', ')}`;
  if (fault !== null) {
    const text = `what became of message ${id} cannot be known now: ${fault.message}${missing}`;
    return new SpushError(fault.code, text, { cause: fault });
  }
  if (silent.length > 0) {
    const text = `the store does not know message ${id}, but it may wait in the spill of another node${missing}`;
    return new SpushError('NODES_SILENT', text);
  }
  return new SpushError(
    'NOT_FOUND',
    `message ${id} is unknown: it was never stored here, or was deleted after it expired. Its id was made at ${iso(messageIdTime(id))}`,
  );
}

function shownOf(facts: MessageFacts, node: string): MessageShown {
  const time = (unixMs: number | null): string | null => (unixMs === null ? null : iso(unixMs));
  const { id, kind, uid, state, replacedBy, settled, deliver, receipts, storedIn, bytes } = facts;
  return {
    id,
    kind,
    uid,
    state,
    replacedBy,
    settled,
    deliver,
    waitsForJob: facts.held ? jobOf(kind) : null,
    createdAt: iso(facts.createdAt),
    expiresAt: iso(facts.expiresAt),
    sentAt: time(facts.sentAt),
    ackedAt: time(facts.ackedAt),
    readAt: time(facts.readAt),
    receipts,
    storedIn,
    node: storedIn === 'spill' ? nameIn(node) : null,
    bytes,
  };
}

function jobOf(kind: Kind): string | null {
  const job = Object.entries(SWEEP_JOBS).find(([, each]) => each.kind === kind);
  return job?.[0] ?? null;
}
