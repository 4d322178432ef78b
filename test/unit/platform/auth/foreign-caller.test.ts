import { describe, expect, test } from 'vitest';
import { foreignCaller } from '../../../../src/platform/auth/foreign-caller.js';
import { apiSchema, systemSchema } from '../../../../src/platform/config/config-schema.js';

interface Site {
  readonly env?: 0 | 1 | 2;
  readonly Host?: string | null;
  readonly origins?: string[];
}

function isForeign(
  headers: Record<string, string>,
  { env = 0, Host = null, origins = [] }: Site = {},
): boolean {
  const config = { env, system: systemSchema.parse({ Host }), api: apiSchema.parse({ origins }) };
  return foreignCaller(config)(headers) !== null;
}

describe('in PUSHENV 0', () => {
  test.each([
    'localhost',
    'LOCALHOST:9501',
    'localhost.',
    'app.localhost:3000',
    '127.0.0.1:1',
    '127.8.9.10',
    '[::1]:9501',
    '[::ffff:127.0.0.1]',
  ])('the Host %s is of this machine', (host) => {
    expect(isForeign({ host })).toBe(false);
    expect(isForeign({ host: 'localhost:9501', origin: `http://${host}` })).toBe(false);
  });

  test.each([
    'evil.example',
    'evil.example:9501',
    'localhost.evil.example',
    'notlocalhost',
    '127.0.0.1.evil.example',
    '192.0.2.1',
    '[2001:db8::1]:9501',
    'localhost@evil.example',
    'evil.example#localhost',
    '127.0.0.1:80:80',
    '',
  ])('the Host %j is not', (host) => {
    expect(isForeign({ host })).toBe(true);
    expect(isForeign({ host: 'localhost:9501', origin: `http://${host}` })).toBe(true);
  });

  test.each([
    'null',
    'localhost',
    'file://',
    'http://localhost/path',
    'http://user@localhost',
    '',
  ])('the Origin %j is none of this machine', (origin) => {
    expect(isForeign({ host: 'localhost', origin })).toBe(true);
  });

  test('what no browser sends passes: a call without either', () => {
    expect(isForeign({})).toBe(false);
    expect(isForeign({ 'sec-fetch-site': 'none' })).toBe(false);
    expect(isForeign({ 'sec-fetch-site': 'cross-site' })).toBe(true);
  });

  test('the configured Host and origins are ours, by name, with any port', () => {
    const site = { Host: '192.0.2.7', origins: ['https://Dev.Example:8443'] };
    for (const host of ['192.0.2.7:9501', 'dev.example', 'DEV.example:9501']) {
      expect(isForeign({ host }, site)).toBe(false);
      expect(isForeign({ host, origin: 'https://dev.example:8443' }, site)).toBe(false);
    }
    expect(isForeign({ host: '192.0.2.8' }, site)).toBe(true);
  });

  test.each([
    '0.0.0.0',
    '::',
  ])('with Host %s every address in digits is, and no name: it can point anywhere', (Host) => {
    expect(isForeign({ host: '192.0.2.8:9501' }, { Host })).toBe(false);
    expect(isForeign({ host: '192.0.2.8:9501', origin: 'http://192.0.2.8:9501' }, { Host })).toBe(false);
    expect(isForeign({ host: 'evil.example' }, { Host })).toBe(true);
  });
});

test.each([1, 2] as const)('in PUSHENV %i keys decide, and the list of origins', (env) => {
  expect(isForeign({ host: 'evil.example', origin: 'https://evil.example' }, { env })).toBe(false);
});
