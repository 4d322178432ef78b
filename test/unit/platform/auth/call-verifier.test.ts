import { createHash, createHmac } from 'node:crypto';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { type CallVerifier, createCallVerifier } from '../../../../src/platform/auth/call-verifier.js';
import { type CallHeaders, type CallParts, signCall } from '../../../../src/platform/auth/signature.js';
import { isSpushError } from '../../../../src/shared/base/errors.js';
import { FakeClock } from '../../../support/fake-clock.js';

const KEYS = [
  { id: 'site', secret: 'a secret' },
  { id: 'next', secret: 'another' },
  { id: 'site', secret: 'the secret before' },
];
const CALL: CallParts = { method: 'POST', path: '/api/comment/message?x=1', body: '{"uid":1}' };
const NONCE = 'nonce-0001';

let clock: FakeClock;
let claims: { keyId: string; nonce: string; expiresAt: number }[];
let verifier: CallVerifier;

beforeEach(() => {
  clock = new FakeClock();
  claims = [];
  verifier = verifierWith({ legacyToken: false });
});

function verifierWith({ legacyToken }: { legacyToken: boolean }): CallVerifier {
  return createCallVerifier({
    keys: KEYS,
    legacyToken,
    clock,
    nonces: {
      async claim(keyId, nonce, expiresAt) {
        if (claims.some((claim) => claim.keyId === keyId && claim.nonce === nonce)) return false;
        claims.push({ keyId, nonce, expiresAt });
        return true;
      },
    },
  });
}

const seconds = (): number => Math.floor(clock.now() / 1000);

function headersFor(
  call: CallParts,
  change: { key?: string; secret?: string; off?: number; nonce?: string } = {},
) {
  const key = { id: change.key ?? 'site', secret: change.secret ?? 'a secret' };
  const signed = signCall(key, {
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
  const head = { headers, query: new URLSearchParams(query), isOpen };
  return await verifier.checkCall(verifier.checkHead(head), head, call, () => fields);
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

describe('a signature', () => {
  test('is HMAC-SHA256 over method, path with query, time, nonce and the body’s digest', () => {
    const digest = createHash('sha256').update('{"uid":1}').digest('hex');
    const text = `POST\n/api/comment/message?x=1\n${seconds()}\n${NONCE}\n${digest}`;
    const expected = createHmac('sha256', 'a secret').update(text).digest('hex');
    expect(headersFor(CALL)).toEqual({
      'x-spush-key': 'site',
      'x-spush-timestamp': String(seconds()),
      'x-spush-nonce': NONCE,
      'x-spush-signature': expected,
    });
  });

  test('passes with any key, either secret of one that is rotated, and in capitals', async () => {
    expect(await verify(headersFor(CALL))).toEqual({ by: 'signature', keyId: 'site' });
    expect(await verify(headersFor(CALL, { key: 'next', secret: 'another' }))).toMatchObject({
      keyId: 'next',
    });
    const old = headersFor(CALL, { secret: 'the secret before', nonce: 'another-nonce' });
    expect(await verify(old)).toMatchObject({ keyId: 'site' });
    const loud = headersFor(CALL, { nonce: 'a-third-nonce' });
    loud['x-spush-signature'] = loud['x-spush-signature']?.toUpperCase() ?? '';
    expect(await verify(loud)).toMatchObject({ keyId: 'site' });
  });

  test.each([
    ['method', { ...CALL, method: 'GET' }],
    ['path', { ...CALL, path: '/api/comment/message' }],
    ['query', { ...CALL, path: '/api/comment/message?x=2' }],
    ['body', { ...CALL, body: '{"uid":2}' }],
  ])('of another %s does not match, and no nonce is used up', async (_what, call) => {
    expect(await refusal(headersFor(CALL), { call })).toContain('does not match');
    expect(claims).toEqual([]);
  });

  test('of a wrong secret or an unknown key does not match', async () => {
    expect(await refusal(headersFor(CALL, { secret: 'wrong' }))).toContain('does not match for key "site"');
    expect(await refusal(headersFor(CALL, { key: 'nobody' }))).toContain('does not match for key "nobody"');
    expect(await refusal(headersFor(CALL, { key: '__proto__' }))).toContain('does not match');
    expect(claims).toEqual([]);
  });

  test('tells what was signed here, but no secret', async () => {
    const headers = headersFor(CALL, { secret: 'wrong' });
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
      expect(await verify(headersFor(CALL, { off, nonce: `nonce${off}....` }))).toBeTruthy();
    }
    expect(await refusal(headersFor(CALL, { off: -61 }))).toBe(
      "the timestamp is 61 s behind this server's clock; clocks must agree within 60 s",
    );
    expect(await refusal(headersFor(CALL, { off: 61 }))).toContain('61 s ahead');
  });

  test('is good once; its nonce is kept as long as its time is good', async () => {
    const headers = headersFor(CALL);
    await verify(headers);
    expect(claims).toEqual([{ keyId: 'site', nonce: NONCE, expiresAt: (seconds() + 61) * 1000 }]);
    expect(await refusal(headers)).toContain('used before');
    clock.advance(60_999);
    expect(await refusal(headers)).toContain('used before');
    clock.advance(1);
    expect(await refusal(headers)).toContain('61 s behind');
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
  ])('with %s = %j is refused before the body is read', (name, value, text) => {
    const head = {
      headers: { ...headersFor(CALL), [name]: value },
      query: new URLSearchParams(),
      isOpen: false,
    };
    expect(() => verifier.checkHead(head)).toThrow(text);
  });

  test('that is present is checked although the call would be open', async () => {
    expect(await refusal(headersFor(CALL, { secret: 'wrong' }), { isOpen: true })).toContain(
      'does not match',
    );
    expect(await refusal({ 'x-spush-nonce': NONCE }, { isOpen: true })).toContain('X-Spush-Key is missing');
    expect(await verify({}, { isOpen: true })).toEqual({ by: 'open' });
    expect(await refusal({})).toContain('not signed');
  });

  test('of any other text never passes', async () => {
    const header = fc.oneof(fc.string(), fc.constant(undefined), fc.array(fc.string()));
    await fc.assert(
      fc.asyncProperty(
        fc.record({ key: header, time: header, nonce: header, sign: header }),
        async (given) => {
          const headers = {
            'x-spush-key': given.key ?? 'site',
            'x-spush-timestamp': given.time ?? String(seconds()),
            'x-spush-nonce': given.nonce ?? NONCE,
            'x-spush-signature': given.sign ?? 'a'.repeat(64),
          };
          expect(await refusal(headers)).not.toBe('passed');
        },
      ),
    );
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
      { timestamp, token: token(timestamp) },
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

  test('counts only where it is allowed', async () => {
    verifier = verifierWith({ legacyToken: false });
    const fields = { timestamp: seconds(), token: token(seconds()) };
    expect(await refusal({}, { fields })).toContain('not signed');
  });
});
