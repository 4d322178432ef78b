import { createHash, createHmac } from 'node:crypto';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { type CallVerifier, createCallVerifier } from '../../../../src/platform/auth/call-verifier.js';
import {
  type CallHeaders,
  type CallParts,
  nonceScope,
  signCall,
  signCallV1,
} from '../../../../src/platform/auth/signature.js';
import { isSpushError } from '../../../../src/shared/base/errors.js';
import { FakeClock } from '../../../support/fake-clock.js';

const KEYS = [
  { id: 'site', secret: 'a secret' },
  { id: 'next', secret: 'another' },
  { id: 'site', secret: 'the secret before' },
  { id: 'twin', secret: 'a secret' },
];
const SCOPE = nonceScope('a secret');
const CALL: CallParts = {
  method: 'POST',
  path: '/api/comment/message?x=1',
  contentType: 'application/json',
  body: '{"uid":1}',
};
const NONCE = 'nonce-0001';

let clock: FakeClock;
let claims: { scope: string; nonce: string; timestamp: number }[];
let keysOfV1: string[];
let verifier: CallVerifier;

beforeEach(() => {
  clock = new FakeClock();
  claims = [];
  keysOfV1 = [];
  verifier = verifierWith({});
});

function verifierWith({ isLocal = false, legacyToken = false, signatureV1 = true }): CallVerifier {
  return createCallVerifier({
    isLocal,
    keys: KEYS,
    legacyToken,
    signatureV1,
    onFirstV1: (keyId) => keysOfV1.push(keyId),
    clock,
    nonces: {
      async claim(scope, nonce, timestamp) {
        if (claims.some((claim) => claim.scope === scope && claim.nonce === nonce)) return false;
        claims.push({ scope, nonce, timestamp });
        return true;
      },
    },
  });
}

const seconds = (): number => Math.floor(clock.now() / 1000);

type Sign = typeof signCall;
interface Change {
  readonly sign?: Sign;
  readonly key?: string;
  readonly secret?: string;
  readonly off?: number;
  readonly nonce?: string;
}

function headersFor(call: CallParts, change: Change = {}): Record<string, string | undefined> {
  const key = { id: change.key ?? 'site', secret: change.secret ?? 'a secret' };
  const signed = (change.sign ?? signCall)(key, {
    ...call,
    timestamp: seconds() + (change.off ?? 0),
    nonce: change.nonce ?? NONCE,
  });
  return Object.fromEntries(Object.entries(signed).map(([name, value]) => [name.toLowerCase(), value]));
}

async function verify(
  headers: CallHeaders,
  { call = CALL, isOpen = false, query = '', fields = null as unknown } = {},
) {
  const { method, path, contentType, body } = call;
  const type = contentType === undefined ? {} : { 'content-type': contentType };
  const head = { method, path, headers: { ...headers, ...type }, query: new URLSearchParams(query), isOpen };
  return await verifier.checkCall(await verifier.checkHead(head), head, Buffer.from(body), () => fields);
}

async function headRefusal(headers: CallHeaders): Promise<string> {
  const { method, path } = CALL;
  const head = { method, path, headers, query: new URLSearchParams(), isOpen: false };
  try {
    return (await verifier.checkHead(head)).needs;
  } catch (error) {
    if (isSpushError(error, 'UNAUTHORIZED')) return error.message;
    throw error;
  }
}

async function refusal(headers: CallHeaders, options?: Parameters<typeof verify>[1]): Promise<string> {
  try {
    await verify(headers, options);
  } catch (error) {
    if (isSpushError(error, 'UNAUTHORIZED')) return error.message;
    throw error;
  }
  return 'passed';
}

const VERSIONS: [string, Sign][] = [
  ['2', signCall],
  ['1', signCallV1],
];

describe.each(VERSIONS)('a signature of version %s', (_version, sign) => {
  const make = (call: CallParts = CALL, change: Change = {}) => headersFor(call, { sign, ...change });

  test('passes with any key, either secret of one that is rotated, and in capitals', async () => {
    expect(await verify(make())).toEqual({ by: 'signature', keyId: 'site' });
    expect(await verify(make(CALL, { key: 'next', secret: 'another' }))).toMatchObject({ keyId: 'next' });
    const old = make(CALL, { secret: 'the secret before', nonce: 'another-nonce' });
    expect(await verify(old)).toMatchObject({ keyId: 'site' });
    const loud = make(CALL, { nonce: 'a-third-nonce' });
    loud['x-spush-signature'] = loud['x-spush-signature']?.toUpperCase() ?? '';
    expect(await verify(loud)).toMatchObject({ keyId: 'site' });
  });

  test.each([
    ['method', { ...CALL, method: 'GET' }],
    ['path', { ...CALL, path: '/api/comment/message' }],
    ['query', { ...CALL, path: '/api/comment/message?x=2' }],
  ])('of another %s does not match, and no nonce is used up', async (_what, call) => {
    expect(await refusal(make(), { call })).toContain('does not match');
    expect(claims).toEqual([]);
  });

  test('of another body is refused', async () => {
    expect(await refusal(make(), { call: { ...CALL, body: '{"uid":2}' } })).toMatch(
      /does not match|not the one that was signed/,
    );
  });

  test('of a wrong secret or an unknown key does not match', async () => {
    expect(await refusal(make(CALL, { secret: 'wrong' }))).toContain('does not match for key "site"');
    expect(await refusal(make(CALL, { key: 'nobody' }))).toContain('does not match for key "nobody"');
    expect(await refusal(make(CALL, { key: '__proto__' }))).toContain('does not match');
    expect(claims).toEqual([]);
  });

  test('tells what was signed here, but no secret', async () => {
    const headers = make(CALL, { secret: 'wrong' });
    await expect(verify(headers)).rejects.toMatchObject({
      detail: {
        signedText: expect.stringContaining(`POST\n/api/comment/message?x=1\n${seconds()}\n${NONCE}\n`),
      },
    });
    const text = await refusal(headers);
    for (const { secret } of KEYS) expect(text).not.toContain(secret);
  });

  test('is good for 60 s and not for 61, on either side, and the text says how far off it was', async () => {
    for (const off of [-60, 60]) {
      expect(await verify(make(CALL, { off, nonce: `nonce${off}....` }))).toBeTruthy();
    }
    expect(await refusal(make(CALL, { off: -61 }))).toBe(
      "the timestamp is 61 s behind this server's clock; clocks must agree within 60 s",
    );
    expect(await refusal(make(CALL, { off: 61 }))).toContain('61 s ahead');
  });

  test('is good once, also by another key with the same secret', async () => {
    const headers = make();
    await verify(headers);
    expect(claims).toEqual([{ scope: SCOPE, nonce: NONCE, timestamp: seconds() }]);
    expect(await refusal(headers)).toContain('used before');
    expect(await refusal(make(CALL, { key: 'twin' }))).toContain('used before');
    expect(await refusal({ ...headers, 'x-spush-key': 'twin' })).toMatch(/used before|does not match/);
  });

  test.each([
    ['x-spush-key', undefined, 'X-Spush-Key is missing'],
    ['x-spush-timestamp', undefined, 'X-Spush-Timestamp is missing'],
    ['x-spush-signature', '', 'X-Spush-Signature is missing'],
    ['x-spush-timestamp', '12e3', 'digits only'],
    ['x-spush-timestamp', '-5', 'digits only'],
    ['x-spush-nonce', 'short', '8-64'],
    ['x-spush-nonce', 'x'.repeat(65), '8-64'],
    ['x-spush-nonce', 'with a space', '8-64'],
    ['x-spush-signature', 'zz', '64 digits'],
    ['x-spush-version', '3', 'must be 2'],
  ])('with %s = %j is refused before the body is read', async (name, value, text) => {
    expect(await headRefusal({ ...make(), [name]: value })).toContain(text);
  });

  test('that is present is checked although the call would be open', async () => {
    expect(await refusal(make(CALL, { secret: 'wrong' }), { isOpen: true })).toContain('does not match');
    expect(await refusal({ 'x-spush-nonce': NONCE }, { isOpen: true })).toContain('X-Spush-Key is missing');
    expect(await verify({}, { isOpen: true })).toEqual({ by: 'open' });
    expect(await refusal({})).toContain('not signed');
    expect(await refusal({})).not.toContain('PUSHENV');
    verifier = verifierWith({ isLocal: true });
    expect(await refusal({})).toContain('In PUSHENV 0 only calls from this machine itself');
  });

  test('of any other text never passes', async () => {
    const header = fc.oneof(fc.string(), fc.constant(undefined), fc.array(fc.string()));
    await fc.assert(
      fc.asyncProperty(
        fc.record({ key: header, time: header, nonce: header, sign: header, digest: header }),
        async (given) => {
          const headers = {
            ...make(),
            'x-spush-key': given.key ?? 'site',
            'x-spush-timestamp': given.time ?? String(seconds()),
            'x-spush-nonce': given.nonce ?? NONCE,
            'x-spush-signature': given.sign ?? 'a'.repeat(64),
            'x-spush-digest': given.digest ?? make()['x-spush-digest'],
          };
          expect(await refusal(headers)).not.toBe('passed');
        },
      ),
    );
  });
});

describe('a signature of version 2', () => {
  const digest = createHash('sha256').update('{"uid":1}').digest('hex');

  test('is HMAC-SHA256 over key, method, path with query, time, nonce, type and the body’s digest', () => {
    const text = `SPUSH 2\nsite\nPOST\n/api/comment/message?x=1\n${seconds()}\n${NONCE}\napplication/json\n${digest}`;
    const expected = createHmac('sha256', 'a secret').update(text).digest('hex');
    expect(headersFor(CALL)).toEqual({
      'x-spush-version': '2',
      'x-spush-key': 'site',
      'x-spush-timestamp': String(seconds()),
      'x-spush-nonce': NONCE,
      'x-spush-digest': digest,
      'x-spush-signature': expected,
    });
  });

  test.each([
    ['key with the same secret', { 'x-spush-key': 'twin' }, CALL],
    ['type', {}, { ...CALL, contentType: 'application/x-www-form-urlencoded' }],
    ['spelling of the type', {}, { ...CALL, contentType: 'application/json; charset=utf-8' }],
    ['digest', { 'x-spush-digest': createHash('sha256').update('other').digest('hex') }, CALL],
  ])('of another %s does not match', async (_what, change, call) => {
    expect(await refusal({ ...headersFor(CALL), ...change }, { call })).toContain('does not match');
    expect(claims).toEqual([]);
  });

  test('shows who calls before the body is read, and is good for one body only', async () => {
    const headers = { ...headersFor(CALL), 'content-type': CALL.contentType };
    expect(await headRefusal(headers)).toBe('digest');
    expect(await headRefusal(headers)).toContain('used before');
    const other = headersFor(CALL, { nonce: 'another-nonce' });
    expect(await refusal(other, { call: { ...CALL, body: '{"uid":2}' } })).toContain(
      'not the one that was signed',
    );
  });

  test('without its version or digest says so, and is none of version 1', async () => {
    const headers = headersFor(CALL);
    expect(await refusal({ ...headers, 'x-spush-version': undefined })).toContain(
      'X-Spush-Version is missing',
    );
    expect(await refusal({ ...headers, 'x-spush-digest': undefined })).toContain('X-Spush-Digest is missing');
    expect(await refusal({ ...headers, 'x-spush-digest': 'x' })).toContain('64 digits');
    const asV1 = { ...headers, 'x-spush-version': undefined, 'x-spush-digest': undefined };
    expect(await refusal(asV1)).toContain('does not match');
    expect(
      await refusal({
        ...headersFor(CALL, { sign: signCallV1 }),
        'x-spush-version': '2',
        'x-spush-digest': digest,
      }),
    ).toContain('does not match');
  });
});

describe('a signature of version 1', () => {
  const make = (nonce: string, key = 'site') => headersFor(CALL, { sign: signCallV1, nonce, key });

  test('is HMAC-SHA256 over method, path with query, time, nonce and the body’s digest', () => {
    const digest = createHash('sha256').update('{"uid":1}').digest('hex');
    const text = `POST\n/api/comment/message?x=1\n${seconds()}\n${NONCE}\n${digest}`;
    const expected = createHmac('sha256', 'a secret').update(text).digest('hex');
    expect(make(NONCE)).toEqual({
      'x-spush-key': 'site',
      'x-spush-timestamp': String(seconds()),
      'x-spush-nonce': NONCE,
      'x-spush-signature': expected,
    });
  });

  test('is told of once for each key, when it was right', async () => {
    await refusal({ ...make('nonce-1...'), 'x-spush-signature': 'a'.repeat(64) });
    expect(keysOfV1).toEqual([]);
    await verify(make('nonce-1...'));
    await verify(make('nonce-2...'));
    await verify(headersFor(CALL, { nonce: 'nonce-3...' }));
    await verify(make('nonce-4...', 'twin'));
    expect(keysOfV1).toEqual(['site', 'twin']);
  });

  test('counts only where it is allowed, and is refused before the body is read', async () => {
    verifier = verifierWith({ signatureV1: false });
    expect(await headRefusal(make(NONCE))).toContain('signatureV1');
    expect(await verify(headersFor(CALL))).toMatchObject({ by: 'signature' });
  });
});

describe('the old token', () => {
  const token = (timestamp: number | string, secret = 'a secret') =>
    createHash('md5').update(`${timestamp}${secret}`).digest('hex');

  beforeEach(() => {
    verifier = verifierWith({ legacyToken: true });
  });

  test('passes as fields of the body or of the query, made with any key', async () => {
    const timestamp = seconds();
    for (const fields of [
      { timestamp, token: token(timestamp, 'the secret before') },
      { timestamp: String(timestamp), token: token(timestamp, 'another') },
    ]) {
      expect(await verify({}, { fields })).toMatchObject({ by: 'legacyToken' });
    }
    const query = `timestamp=${timestamp}&token=${token(timestamp)}`;
    expect(await verify({}, { query })).toEqual({ by: 'legacyToken', keyId: expect.any(String) });
    expect(await verify(headersFor(CALL))).toMatchObject({ by: 'signature' });
  });

  test.each([
    ['a wrong secret', (now: number) => ({ timestamp: now, token: token(now, 'wrong') }), 'does not match'],
    ['another time', (now: number) => ({ timestamp: now, token: token(now - 1) }), 'does not match'],
    ['61 s', (now: number) => ({ timestamp: now - 61, token: token(now - 61) }), '61 s behind'],
    ['no time', (now: number) => ({ token: token(now) }), 'timestamp is missing'],
    ['a token that is no md5', (now: number) => ({ timestamp: now, token: 5 }), 'must be an md5'],
    ['no token', (now: number) => ({ timestamp: now }), 'not signed'],
    ['no fields', () => [], 'not signed'],
  ])('with %s is refused', async (_what, fields, text) => {
    expect(await refusal({}, { fields: fields(seconds()) })).toContain(text);
  });

  test('that is present is checked although the call would be open; a time alone is just a field', async () => {
    expect(await refusal({}, { isOpen: true, fields: { timestamp: seconds(), token: 'x' } })).toContain(
      'md5',
    );
    expect(await verify({}, { isOpen: true, fields: { timestamp: 1 } })).toEqual({ by: 'open' });
  });

  test('is good once for each body, and where there is none for each path', async () => {
    const fields = { timestamp: seconds(), token: token(seconds()) };
    const again = { timestamp: String(seconds()), token: fields.token.toUpperCase() };
    expect(await verify({}, { fields })).toBeTruthy();
    expect(await refusal({}, { fields: again })).toContain('before');
    expect(await refusal({}, { fields, call: { ...CALL, path: '/api/notice/userMessage' } })).toContain(
      'before',
    );
    expect(await verify({}, { fields, call: { ...CALL, body: '{"uid":2}' } })).toBeTruthy();
    const query = `timestamp=${seconds()}&token=${fields.token}`;
    const get = (path: string): CallParts => ({ method: 'GET', path, body: '' });
    expect(await verify({}, { query, call: get('/api/user/1') })).toBeTruthy();
    expect(await verify({}, { query, call: get('/api/user/2') })).toBeTruthy();
    expect(await refusal({}, { query, call: get('/api/user/1') })).toContain('before');
  });

  test('counts only where it is allowed', async () => {
    verifier = verifierWith({});
    const fields = { timestamp: seconds(), token: token(seconds()) };
    expect(await refusal({}, { fields })).toContain('not signed');
  });
});
