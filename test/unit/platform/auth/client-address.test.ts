import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ADDRESS_UNKNOWN,
  addressBudgetKey,
  addressList,
  clientAddress,
  isLoopback,
  normalAddress,
} from '../../../../src/platform/auth/client-address.js';

const trusted = addressList(['127.0.0.0/8', '::1/128', '10.0.0.0/8']);

function of(
  peer: string | undefined,
  headers: Record<string, string | string[]> = {},
  header = 'x-forwarded-for',
): string {
  return clientAddress({ socket: { remoteAddress: peer }, headers }, { proxies: trusted, header });
}

describe('the client’s address', () => {
  test('is the peer’s, whatever a stranger’s headers say', () => {
    expect(of('203.0.113.9')).toBe('203.0.113.9');
    expect(of('203.0.113.9', { 'x-real-ip': '127.0.0.1', 'x-forwarded-for': '127.0.0.1' })).toBe(
      '203.0.113.9',
    );
    expect(of('::ffff:203.0.113.9', { 'x-forwarded-for': '127.0.0.1' })).toBe('203.0.113.9');
    expect(of(undefined, { 'x-forwarded-for': '127.0.0.1' })).toBe(ADDRESS_UNKNOWN);
  });

  test('is that of the configured header when the peer is a trusted proxy', () => {
    expect(of('127.0.0.1', { 'x-real-ip': '203.0.113.9' }, 'x-real-ip')).toBe('203.0.113.9');
    expect(of('::ffff:127.0.0.1', { 'x-forwarded-for': '::ffff:203.0.113.9' })).toBe('203.0.113.9');
    expect(of('::1', { 'x-forwarded-for': '2001:DB8::5' })).toBe('2001:db8::5');
  });

  test('is of no other header: what the proxy does not set is the client’s own', () => {
    const both = { 'x-real-ip': '198.51.100.1', 'x-forwarded-for': '203.0.113.9' };
    expect(of('127.0.0.1', both)).toBe('203.0.113.9');
    expect(of('127.0.0.1', both, 'x-real-ip')).toBe('198.51.100.1');
    expect(of('127.0.0.1', { 'x-real-ip': '198.51.100.1' })).toBe(ADDRESS_UNKNOWN);
    expect(of('10.0.0.1', { forwarded: 'for=198.51.100.1' })).toBe(ADDRESS_UNKNOWN);
  });

  test('is the first of the list, from the right, that is no proxy of ours', () => {
    expect(of('127.0.0.1', { 'x-forwarded-for': '127.0.0.1, 203.0.113.9' })).toBe('203.0.113.9');
    expect(of('127.0.0.1', { 'x-forwarded-for': '198.51.100.1, 203.0.113.9, 10.1.1.1' })).toBe('203.0.113.9');
    expect(of('127.0.0.1', { 'x-forwarded-for': ['198.51.100.1', '203.0.113.9, 10.1.1.1'] })).toBe(
      '203.0.113.9',
    );
    expect(of('127.0.0.1', { 'x-forwarded-for': '203.0.113.9:4711' })).toBe('203.0.113.9');
    expect(of('127.0.0.1', { 'x-forwarded-for': '[2001:db8::5]:4711' })).toBe('2001:db8::5');
  });

  test('is the furthest proxy when there are only proxies', () => {
    expect(of('127.0.0.1', { 'x-forwarded-for': '10.9.9.9, 10.1.1.1' })).toBe('10.9.9.9');
    expect(of('10.0.0.1')).toBe('10.0.0.1');
  });

  test('is unknown, and never the proxy’s, when the proxy tells no address', () => {
    expect(of('127.0.0.1', { 'x-forwarded-for': 'localhost' })).toBe(ADDRESS_UNKNOWN);
    expect(of('10.0.0.1', { 'x-real-ip': '1.2.3.4 5.6.7.8' }, 'x-real-ip')).toBe(ADDRESS_UNKNOWN);
    expect(of('10.0.0.1', { 'x-forwarded-for': '203.0.113.9, ???, 10.1.1.1' })).toBe(ADDRESS_UNKNOWN);
    expect(of('10.0.0.1', { 'x-forwarded-for': ',,,' })).toBe(ADDRESS_UNKNOWN);
    expect(of('127.0.0.1', { 'x-forwarded-for': '' })).toBe(ADDRESS_UNKNOWN);
    expect(of('127.0.0.1', {}, 'constructor')).toBe('127.0.0.1');
  });

  test('is loopback only for who is connected from this machine directly', () => {
    expect(of('127.0.0.1')).toBe('127.0.0.1');
    for (const headers of [
      { 'x-forwarded-for': '127.0.0.1' },
      { 'x-forwarded-for': '::1' },
      { 'x-forwarded-for': '127.0.0.1, 10.1.1.1' },
      { 'x-real-ip': '127.0.0.1' },
      { 'x-forwarded-proto': 'https' },
      { via: '1.1 proxy' },
    ]) {
      for (const peer of ['127.0.0.1', '::1', '10.0.0.1']) expect(isLoopback(of(peer, headers))).toBe(false);
      expect(addressList(['127.0.0.0/8', '::1', '10.0.0.0/8']).has(of('127.0.0.1', headers))).toBe(false);
    }
    const request = { socket: { remoteAddress: '127.0.0.1' }, headers: { 'x-forwarded-for': '127.0.0.1' } };
    const nobody = { proxies: addressList([]), header: 'x-forwarded-for' };
    expect(isLoopback(clientAddress(request, nobody))).toBe(false);
    expect(addressBudgetKey(clientAddress(request, nobody))).toBe('via-proxy:127.0.0.1');
  });

  test('is an address or unknown for any header, and never costs much', () => {
    fc.assert(
      fc.property(fc.string(), (forwarded) => {
        const address = of('10.0.0.1', { 'x-forwarded-for': forwarded });
        expect([normalAddress(address), ADDRESS_UNKNOWN]).toContain(address);
      }),
    );
    expect(of('127.0.0.1', { 'x-forwarded-for': '127.0.0.1,'.repeat(100_000) })).toBe(ADDRESS_UNKNOWN);
  });
});

describe('lists', () => {
  test('hold addresses and networks of both families', () => {
    const list = addressList(['192.0.2.7', '198.51.100.0/24', '2001:db8::/32', '::ffff:203.0.113.0/120']);
    for (const address of [
      '192.0.2.7',
      '::ffff:192.0.2.7',
      '198.51.100.200',
      '2001:db8:1::1',
      '203.0.113.77',
    ])
      expect(list.has(address)).toBe(true);
    for (const address of ['192.0.2.8', '198.51.101.1', '2001:db9::1', '203.0.114.1', '', 'unknown'])
      expect(list.has(address)).toBe(false);
    expect(addressList(['0.0.0.0/0']).has('::1')).toBe(false);
  });

  test('refuse what is no address', () => {
    expect(() => addressList(['localhost'])).toThrow('"localhost"');
  });
});

test('loopback is 127.0.0.0/8 and ::1, mapped too', () => {
  for (const address of ['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1'])
    expect(isLoopback(address)).toBe(true);
  for (const address of ['128.0.0.1', '::2', 'localhost', ADDRESS_UNKNOWN, ''])
    expect(isLoopback(address)).toBe(false);
});

test('budgets count IPv4 addresses and IPv6 /64 networks', () => {
  expect(addressBudgetKey('203.0.113.9')).toBe('203.0.113.9');
  expect(addressBudgetKey('::ffff:203.0.113.9')).toBe('203.0.113.9');
  expect(addressBudgetKey('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
  expect(addressBudgetKey('2001:db8:1:2::6')).toBe('2001:db8:1:2::/64');
  expect(addressBudgetKey('2001:0db8:0001:0002:ffff::')).toBe('2001:db8:1:2::/64');
  expect(addressBudgetKey('2001:db8::1')).toBe('2001:db8:0:0::/64');
  expect(addressBudgetKey('fe80::1%eth0')).toBe('fe80:0:0:0::/64');
  expect(addressBudgetKey(ADDRESS_UNKNOWN)).toBe(ADDRESS_UNKNOWN);
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      expect(addressBudgetKey(address)).toMatch(/^([0-9a-f]{1,4}:){4}:\/64$|^\d+\.\d+\.\d+\.\d+$/);
    }),
  );
});
