/**
 * Who may call what, in this order: the address, in PUSHENV 0 the page, then the proof. A part of the proof needs the raw body, so the body is
 * read in between, and only for callers whose address and head were good.
 */
import type { IncomingMessage } from 'node:http';
import { createCallVerifier, type NonceGuard } from '../../platform/auth/call-verifier.js';
import { addressList, isLoopback, latestClientAddress } from '../../platform/auth/client-address.js';
import { foreignCaller } from '../../platform/auth/foreign-caller.js';
import { isSigned } from '../../platform/auth/signature.js';
import type { Config } from '../../platform/config/config-schema.js';
import type { Log } from '../../platform/log/log.js';
import type { Clock } from '../../shared/base/clock.js';
import { SpushError } from '../../shared/base/errors.js';
import { parseBody } from './body-parser.js';

/** `open`: anybody; `ops`: addresses of operators; `signed`: callers with a proof. */
export type AccessRule = 'open' | 'ops' | 'signed';

export interface AccessDeps {
  readonly config: () => Config;
  readonly nonces: NonceGuard;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
}

/** How the body of a call is had while the call is looked at. */
export interface BodyOfCall {
  readonly readRaw: () => Promise<Buffer>;
  /** It is known who calls: before the body is read, where the head shows it. */
  readonly onProven: () => void;
}

export interface ProvenCall {
  /** Answers the parsed body, when it is asked for. */
  readonly body: () => unknown;
  /** The id of the key that the call was proved with; null: it needed none. */
  readonly key: string | null;
}

export interface Access {
  clientAddress(req: IncomingMessage): string;
  /** Throws FORBIDDEN when calls of this kind may not come from there. */
  assertAddress(rule: AccessRule, address: string): void;
  /** Throws FORBIDDEN for a call without a proof that a page of elsewhere makes, in PUSHENV 0. */
  assertNotForeign(rule: AccessRule, req: IncomingMessage): void;
  /** Throws UNAUTHORIZED. */
  prove(req: IncomingMessage, address: string, body: BodyOfCall): Promise<ProvenCall>;
}

export function createAccess({ config, nonces, clock, log }: AccessDeps): Access {
  const { env, api } = config();
  const { keys, legacyToken, signatureV1 } = api;
  const onFirstV1 = (key: string) => log.warn('api.signatureV1', { key });
  const verifier = createCallVerifier({
    isLocal: env === 0,
    keys,
    legacyToken,
    signatureV1,
    onFirstV1,
    nonces,
    clock,
  });
  const foreign = foreignCaller(config());
  const callers = api.allow.length === 0 ? null : addressList(api.allow);
  const operators = addressList(api.opsAllow);

  return {
    clientAddress: latestClientAddress(() => config().system),

    assertAddress(rule, address) {
      if (rule === 'signed' && callers !== null && !callers.has(address)) {
        throw new SpushError('FORBIDDEN', `address ${address} is not in api.allow (SPUSH_API_ALLOW)`);
      }
      if (rule === 'ops' && !operators.has(address)) {
        throw new SpushError('FORBIDDEN', `address ${address} is not in api.opsAllow (SPUSH_API_OPS_ALLOW)`);
      }
    },

    assertNotForeign(rule, { headers }) {
      // Only where the signature is looked at.
      if (rule === 'open' || (rule === 'signed' && isSigned(headers))) return;
      const reason = foreign(headers);
      if (reason !== null) throw new SpushError('FORBIDDEN', reason);
    },

    async prove(req, address, { readRaw, onProven }) {
      const { method = '', url: path = '' } = req;
      const queryAt = path.indexOf('?');
      const query = new URLSearchParams(queryAt === -1 ? '' : path.slice(queryAt + 1));
      const isOpen = env === 0 && isLoopback(address);
      const head = { method, path, headers: req.headers, query, isOpen };
      const proof = await verifier.checkHead(head);
      if (proof.needs === 'digest') onProven();
      const raw = await readRaw();
      const body = once(() => parseBody(raw, req.headers));
      // An old token can be in a body only when there is one: a GET without is judged by its query.
      const fields = () => (raw.length === 0 ? null : body());
      const proven = await verifier.checkCall(proof, head, raw, fields);
      if (proven.by !== 'open') onProven();
      return { body, key: proven.by === 'open' ? null : proven.keyId };
    },
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
