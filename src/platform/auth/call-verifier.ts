/**
 * Decides whether a call may be made: signature, old token, or, in PUSHENV 0, a call from this machine.
 *
 * A proof that is present is checked in every environment. Forms and clocks are checked before the body is read, so that
 * strangers cannot make a Worker hold bodies; nonces are claimed after the signature, so that strangers cannot fill the
 * nonce table.
 */
import type { Clock } from '../../shared/base/clock.js';
import { nowSeconds } from '../../shared/base/clock.js';
import { assertLegacyToken, legacyFields } from './legacy-token.js';
import {
  type ApiKey,
  type CallHeaders,
  type CallParts,
  type CallSignature,
  isSignatureOf,
  isSigned,
  parseSignature,
  parseTimestamp,
  refused,
  SIGNATURE_HEADERS,
  TOLERANCE_SECONDS,
  textToSign,
} from './signature.js';

/** Remembers nonces for the whole node. */
export interface NonceGuard {
  /** True for exactly one caller until `expiresAt` (Unix ms). */
  claim(keyId: string, nonce: string, expiresAt: number): Promise<boolean>;
}

/** How a call proved itself. `open`: from this machine, in PUSHENV 0. */
export type CallProof =
  | { readonly by: 'signature'; readonly keyId: string }
  | { readonly by: 'legacyToken'; readonly keyId: string }
  | { readonly by: 'open' };

/** A call's head was looked at; what is left needs the body. */
export type PendingProof =
  | { readonly needs: 'body'; readonly signature: CallSignature; readonly timestamp: number }
  | { readonly needs: 'fields' }
  | { readonly needs: 'nothing' };

export interface CallHead {
  readonly headers: CallHeaders;
  readonly query: URLSearchParams;
  /** A call from this machine in PUSHENV 0. */
  readonly isOpen: boolean;
}

export interface CallVerifier {
  /** Before the body: throws UNAUTHORIZED for what no body can heal. */
  checkHead(head: CallHead): PendingProof;
  /** With the raw body; `fields` gives the parsed body and is called only when the old token may be in it. */
  checkCall(proof: PendingProof, head: CallHead, call: CallParts, fields: () => unknown): Promise<CallProof>;
}

export interface CallVerifierOptions {
  readonly keys: readonly ApiKey[];
  readonly legacyToken: boolean;
  readonly nonces: NonceGuard;
  readonly clock: Clock;
}

/** Told to operators in a 401; longer paths are cut. */
const TEXT_SHOWN_MAX = 600;

export function createCallVerifier({ keys, legacyToken, nonces, clock }: CallVerifierOptions): CallVerifier {
  const secretsOf = (id: string) => keys.filter((key) => key.id === id).map((key) => key.secret);
  const unsigned = () =>
    refused(
      `the call is not signed: it needs ${Object.values(SIGNATURE_HEADERS).join(', ')}${
        legacyToken ? ', or the fields timestamp and token' : ''
      }`,
    );

  return {
    checkHead({ headers, isOpen }) {
      if (isSigned(headers)) {
        const signature = parseSignature(headers);
        const timestamp = parseTimestamp(signature.timestamp, nowSeconds(clock));
        if (secretsOf(signature.key).length === 0) throw mismatch(signature);
        return { needs: 'body', signature, timestamp };
      }
      if (legacyToken) return { needs: 'fields' };
      if (!isOpen) throw unsigned();
      return { needs: 'nothing' };
    },

    async checkCall(proof, head, call, fields) {
      switch (proof.needs) {
        case 'nothing':
          return { by: 'open' };
        case 'fields': {
          const found = legacyFields(head.query, head.query.has('token') ? null : fields());
          if (found) return { by: 'legacyToken', keyId: assertLegacyToken(found, keys, nowSeconds(clock)) };
          if (!head.isOpen) throw unsigned();
          return { by: 'open' };
        }
        case 'body': {
          const { signature, timestamp } = proof;
          const text = textToSign(call, signature);
          if (!isSignatureOf(signature, secretsOf(signature.key), text)) throw mismatch(signature, text);
          const expiresAt = (timestamp + TOLERANCE_SECONDS + 1) * 1000;
          if (!(await nonces.claim(signature.key, signature.nonce, expiresAt))) {
            throw refused(
              `header ${SIGNATURE_HEADERS.nonce} was used before; every call, repeated ones too, needs a new nonce`,
            );
          }
          return { by: 'signature', keyId: signature.key };
        }
      }
    },
  };
}

/** What was signed here holds nothing that the caller did not send, so it may be told: it is what an operator compares. */
function mismatch(signature: CallSignature, text?: string) {
  return refused(
    `the signature does not match for key ${JSON.stringify(signature.key.slice(0, 64))}: check the id and secret of the key, and that METHOD, PATH_WITH_QUERY, TIMESTAMP, NONCE and the body's SHA-256 in hex, joined by line feeds, were signed`,
    text === undefined ? undefined : { signedText: text.slice(-TEXT_SHOWN_MAX) },
  );
}
