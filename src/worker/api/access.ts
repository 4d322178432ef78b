/**
 * Who may call what, in this order: the address, then the proof. The proof needs the raw body, so the body is read in
 * between, and only for callers whose address and head were good.
 */
import type { IncomingMessage } from 'node:http';
import { createCallVerifier, type NonceGuard } from '../../platform/auth/call-verifier.js';
import { addressList, isLoopback, latestClientAddress } from '../../platform/auth/client-address.js';
import type { Config } from '../../platform/config/config-schema.js';
import type { Clock } from '../../shared/base/clock.js';
import { SpushError } from '../../shared/base/errors.js';
import { parseBody } from './body-parser.js';

/** `open`: anybody; `ops`: addresses of operators; `signed`: callers with a proof. */
export type AccessRule = 'open' | 'ops' | 'signed';

export interface AccessDeps {
  readonly config: () => Config;
  readonly nonces: NonceGuard;
  readonly clock: Clock;
}

export interface Access {
  clientAddress(req: IncomingMessage): string;
  /** Throws FORBIDDEN when calls of this kind may not come from there. */
  assertAddress(rule: AccessRule, address: string): void;
  /** Throws UNAUTHORIZED; reads the body through `readRaw`. Answers the parsed body, when it is asked for. */
  prove(req: IncomingMessage, address: string, readRaw: () => Promise<Buffer>): Promise<() => unknown>;
}

export function createAccess({ config, nonces, clock }: AccessDeps): Access {
  const { env, api } = config();
  const verifier = createCallVerifier({ keys: api.keys, legacyToken: api.legacyToken, nonces, clock });
  const callers = api.allow.length === 0 ? null : addressList(api.allow);
  const operators = addressList(api.opsAllow);

  return {
    clientAddress: latestClientAddress(() => config().system),

    assertAddress(rule, address) {
      if (rule === 'signed' && callers !== null && !callers.has(address)) {
        throw new SpushError('FORBIDDEN', `address ${address} is not in allow of conf/*/api.ts`);
      }
      if (rule === 'ops' && !operators.has(address)) {
        throw new SpushError('FORBIDDEN', `address ${address} is not in opsAllow of conf/*/api.ts`);
      }
    },

    async prove(req, address, readRaw) {
      const { method = '', url = '' } = req;
      const queryAt = url.indexOf('?');
      const query = new URLSearchParams(queryAt === -1 ? '' : url.slice(queryAt + 1));
      const head = { headers: req.headers, query, isOpen: env === 0 && isLoopback(address) };
      const proof = verifier.checkHead(head);
      const raw = await readRaw();
      const body = once(() => parseBody(raw, req.headers));
      // An old token can be in a body only when there is one: a GET without is judged by its query.
      const fields = () => (raw.length === 0 ? null : body());
      await verifier.checkCall(proof, head, { method, path: url, body: raw }, fields);
      return body;
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
