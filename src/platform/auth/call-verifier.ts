/**
 * Decides whether a call may be made: signature, old token, or, in PUSHENV 0, a call from this machine.
 *
 * A proof that is present is checked in every environment. What costs little is checked first, and all that does not need
 * the body before it is read, so that strangers cannot make a Worker hold bodies; nonces are claimed after the signature,
 * so that strangers cannot fill the nonce table, and by secret, so that one secret under two ids is good once.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../shared/base/clock.js';
import { nowSeconds } from '../../shared/base/clock.js';
import { type LegacyProof, legacyFields, legacyProof } from './legacy-token.js';
import {
  type ApiKey,
  type CallHeaders,
  type CallSignature,
  digestOf,
  FIELDS_V2,
  isSigned,
  nonceScope,
  parseSignature,
  parseTimestamp,
  refused,
  SIGNATURE_HEADERS,
  secretOf,
  textToSign,
  textToSignV1,
} from './signature.js';

/** Remembers nonces for the whole node, or site. */
export interface NonceGuard {
  /**
   * True for exactly one caller, for as long as a call with this time could be accepted (Unix seconds). `scope`: whose
   * nonces these are.
   */
  claim(scope: string, nonce: string, timestamp: number): Promise<boolean>;
}

/** How a call proved itself. `open`: from this machine, in PUSHENV 0. */
export type CallProof =
  | { readonly by: 'signature'; readonly keyId: string }
  | { readonly by: 'legacyToken'; readonly keyId: string }
  | { readonly by: 'open' };

/** A call's head was looked at; what is left needs the body. `digest`: its caller is known, the rest is comparing. */
export type PendingProof =
  | { readonly needs: 'digest'; readonly keyId: string; readonly digest: string }
  | { readonly needs: 'body'; readonly signature: CallSignature; readonly timestamp: number }
  | { readonly needs: 'fields' }
  | { readonly needs: 'nothing' };

export interface CallHead {
  readonly method: string;
  /** With the query, as on the request line. */
  readonly path: string;
  readonly headers: CallHeaders;
  readonly query: URLSearchParams;
  /** A call from this machine in PUSHENV 0. */
  readonly isOpen: boolean;
}

export interface CallVerifier {
  /** Before the body: throws UNAUTHORIZED for what no body can heal. */
  checkHead(head: CallHead): Promise<PendingProof>;
  /** With the raw body; `fields` gives the parsed body and is called only when the old token may be in it. */
  checkCall(proof: PendingProof, head: CallHead, body: Uint8Array, fields: () => unknown): Promise<CallProof>;
}

export interface CallVerifierOptions {
  /** PUSHENV 0: the call may be open to this machine, and who is refused is told so. */
  readonly isLocal: boolean;
  readonly keys: readonly ApiKey[];
  readonly legacyToken: boolean;
  /** Version 1 of the signature counts too. */
  readonly signatureV1: boolean;
  /** A key has made its first call by version 1. */
  readonly onFirstV1: (keyId: string) => void;
  readonly nonces: NonceGuard;
  readonly clock: Clock;
}

/** Told to operators in a 401; longer paths are cut. */
const TEXT_SHOWN_MAX = 600;

const HEADERS = FIELDS_V2.map((field) => SIGNATURE_HEADERS[field]).join(', ');

export function createCallVerifier(options: CallVerifierOptions): CallVerifier {
  const { isLocal, keys, legacyToken, signatureV1, onFirstV1, nonces, clock } = options;
  const secretsOf = (id: string) => keys.filter((key) => key.id === id).map((key) => key.secret);
  const scopes = new Map(keys.map(({ secret }) => [secret, nonceScope(secret)]));
  const keysOfV1 = new Set<string>();
  const token = legacyToken ? ', or the fields timestamp and token' : '';
  const open = isLocal
    ? '. In PUSHENV 0 only calls from this machine itself, through no proxy, need no signature'
    : '';
  const unsigned = () => refused(`the call is not signed: it needs ${HEADERS}${token}${open}`);

  async function claim(secret: string, nonce: string, timestamp: number): Promise<boolean> {
    return await nonces.claim(scopes.get(secret) ?? nonceScope(secret), nonce, timestamp);
  }

  async function claimNonce(secret: string, { nonce }: CallSignature, timestamp: number): Promise<void> {
    if (await claim(secret, nonce, timestamp)) return;
    throw refused(
      `header ${SIGNATURE_HEADERS.nonce} was used before; every call, repeated ones too, needs a new nonce`,
    );
  }

  async function checkSignedHead(head: CallHead): Promise<PendingProof> {
    const signature = parseSignature(head.headers);
    const timestamp = parseTimestamp(signature.timestamp, nowSeconds(clock));
    const secrets = secretsOf(signature.key);
    if (secrets.length === 0) throw mismatch(signature);
    if (signature.version === 1) {
      if (signatureV1) return { needs: 'body', signature, timestamp };
      throw refused(
        `version 1 of the signature is not accepted here (signatureV1 in conf/*/api.ts): sign by version 2, with ${HEADERS}`,
      );
    }
    const contentType = head.headers['content-type'];
    const text = textToSign(
      { ...head, contentType: typeof contentType === 'string' ? contentType : '' },
      signature,
    );
    const secret = secretOf(signature, secrets, text);
    if (secret === null) throw mismatch(signature, text);
    await claimNonce(secret, signature, timestamp);
    return { needs: 'digest', keyId: signature.key, digest: signature.digest };
  }

  async function checkV1(
    { signature, timestamp }: PendingProof & { needs: 'body' },
    { method, path }: CallHead,
    body: Uint8Array,
  ): Promise<CallProof> {
    const text = textToSignV1({ method, path, body }, signature);
    const secret = secretOf(signature, secretsOf(signature.key), text);
    if (secret === null) throw mismatch(signature, text);
    await claimNonce(secret, signature, timestamp);
    if (!keysOfV1.has(signature.key)) {
      keysOfV1.add(signature.key);
      onFirstV1(signature.key);
    }
    return { by: 'signature', keyId: signature.key };
  }

  async function checkLegacy(proof: LegacyProof, head: CallHead, body: Uint8Array): Promise<CallProof> {
    if (!(await claim(proof.key.secret, legacyNonce(proof, head, body), proof.timestamp))) {
      throw refused('this token has come with this call before: make a new one, with another timestamp');
    }
    return { by: 'legacyToken', keyId: proof.key.id };
  }

  return {
    async checkHead(head) {
      if (isSigned(head.headers)) return await checkSignedHead(head);
      if (legacyToken) return { needs: 'fields' };
      if (!head.isOpen) throw unsigned();
      return { needs: 'nothing' };
    },

    async checkCall(proof, head, body, fields) {
      switch (proof.needs) {
        case 'nothing':
          return { by: 'open' };
        case 'fields': {
          const found = legacyFields(head.query, head.query.has('token') ? null : fields());
          if (found) return await checkLegacy(legacyProof(found, keys, nowSeconds(clock)), head, body);
          if (!head.isOpen) throw unsigned();
          return { by: 'open' };
        }
        case 'body':
          return await checkV1(proof, head, body);
        case 'digest': {
          const digest = digestOf(body);
          if (digest === proof.digest) return { by: 'signature', keyId: proof.keyId };
          throw refused(
            `the body is not the one that was signed: its SHA-256 is ${digest}, header ${SIGNATURE_HEADERS.digest} says ${proof.digest}`,
          );
        }
      }
    },
  };
}

/**
 * The old token is good for any text, so all that can be kept from happening is the same call twice. Calls without a body
 * differ by their paths. No nonce of a signed call is as long.
 */
function legacyNonce({ token }: LegacyProof, { method, path }: CallHead, body: Uint8Array): string {
  const what = createHash('sha256').update(`${token}\n`);
  if (body.length > 0) what.update('body\n').update(body);
  else what.update(`${method} ${path}`);
  return `legacy:${what.digest('hex')}`;
}

/** What was signed here holds nothing that the caller did not send, so it may be told: it is what an operator compares. */
function mismatch(signature: CallSignature, text?: string) {
  const lines =
    signature.version === 2
      ? 'that “SPUSH 2”, KEY, METHOD, PATH_WITH_QUERY, TIMESTAMP, NONCE, CONTENT_TYPE and DIGEST'
      : 'that METHOD, PATH_WITH_QUERY, TIMESTAMP, NONCE and the body’s SHA-256 in hex';
  return refused(
    `the signature does not match for key ${JSON.stringify(signature.key.slice(0, 64))}: check the id and secret of the key, and ${lines}, joined by line feeds, were signed`,
    text === undefined ? undefined : { signedText: text.slice(-TEXT_SHOWN_MAX) },
  );
}
