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

function of(peer: string | undefined, headers: Record<string, string | string[]> = {}): string {
  return clientAddress({ socket: { remoteAddress: peer }, headers }, trusted);
}

describe('the client’s address', () => {
  test('is the peer’s, whatever a stranger’s headers say', () => {
    expect(of('203.0.113.9')).toBe('203.0.113.9');
    expect(of('203.0.113.9', { 'x-real-ip': '127.0.0.1', 'x-forwarded-for': '127.0.0.1' })).toBe(
      '203.0.113.9',
    );
    expect(of('::ffff:203.0.113.9', { 'x-real-ip': '127.0.0.1' })).toBe('203.0.113.9');
    expect(of(undefined, { 'x-real-ip': '127.0.0.1' })).toBe(ADDRESS_UNKNOWN);
  });

  test('is X-Real-IP when the peer is a trusted proxy', () => {
    expect(of('127.0.0.1', { 'x-real-ip': '203.0.113.9' })).toBe('203.0.113.9');
    expect(of('::ffff:127.0.0.1', { 'x-real-ip': '::ffff:203.0.113.9' })).toBe('203.0.113.9');
    expect(of('::1', { 'x-real-ip': '2001:DB8::5', 'x-forwarded-for': '198.51.100.1' })).toBe('2001:db8::5');
  });

  test('is the first of X-Forwarded-For, from the right, that is no proxy of ours', () => {
    expect(of('127.0.0.1', { 'x-forwarded-for': '127.0.0.1, 203.0.113.9' })).toBe('203.0.113.9');
    expect(of('127.0.0.1', { 'x-forwarded-for': '198.51.100.1, 203.0.113.9, 10.1.1.1' })).toBe('203.0.113.9');
    expect(of('127.0.0.1', { 'x-forwarded-for': '203.0.113.9:4711' })).toBe('203.0.113.9');
    expect(of('127.0.0.1', { 'x-forwarded-for': '[2001:db8::5]:4711' })).toBe('2001:db8::5');
    expect(of('127.0.0.1', { 'x-real-ip': '10.1.1.1', 'x-forwarded-for': '203.0.113.9, 10.1.1.1' })).toBe(
      '203.0.113.9',
    );
  });

  test('is the furthest proxy when there are only proxies', () => {
    expect(of('127.0.0.1', { 'x-forwarded-for': '10.9.9.9, 10.1.1.1' })).toBe('10.9.9.9');
    expect(of('127.0.0.1')).toBe('127.0.0.1');
    expect(of('127.0.0.1', { 'x-real-ip': '10.1.1.1' })).toBe('10.1.1.1');
  });

  test('is not taken from garbage', () => {
    expect(of('127.0.0.1', { 'x-real-ip': 'localhost' })).toBe('127.0.0.1');
    expect(of('10.0.0.1', { 'x-real-ip': '1.2.3.4, 5.6.7.8' })).toBe('10.0.0.1');
    expect(of('10.0.0.1', { 'x-forwarded-for': '203.0.113.9, ???, 10.1.1.1' })).toBe('10.1.1.1');
    expect(of('10.0.0.1', { 'x-forwarded-for': ',,,' })).toBe('10.0.0.1');
  });

  test('is an address for any header, and never costs much', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (real, forwarded) => {
        const address = of('10.0.0.1', { 'x-real-ip': real, 'x-forwarded-for': forwarded });
        expect(normalAddress(address)).toBe(address);
      }),
    );
    expect(of('127.0.0.1', { 'x-forwarded-for': '127.0.0.1,'.repeat(100_000) })).toBe('127.0.0.1');
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
