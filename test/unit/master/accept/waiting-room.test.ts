import { expect, test } from 'vitest';
import { WaitingRoom } from '../../../../src/master/accept/waiting-room.js';

function room(...arrivals: [address: string, item: string][]): WaitingRoom<string> {
  const made = new WaitingRoom<string>();
  for (const [address, item] of arrivals) made.add(address, item);
  return made;
}

function inOrder(waiting: WaitingRoom<string>): string[] {
  const order: string[] = [];
  for (let item = waiting.next(); item !== undefined; item = waiting.next()) order.push(item);
  return order;
}

test('addresses take turns, and those of one address keep their order', () => {
  const waiting = room(
    ['192.0.2.1', 'a1'],
    ['192.0.2.1', 'a2'],
    ['192.0.2.1', 'a3'],
    ['192.0.2.2', 'b1'],
    ['192.0.2.3', 'c1'],
    ['192.0.2.3', 'c2'],
  );
  expect(waiting.size).toBe(6);
  expect(inOrder(waiting)).toEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3']);
  expect(waiting.size).toBe(0);
});

test('one that comes back waits behind those that had no turn yet', () => {
  const waiting = room(['192.0.2.1', 'a1'], ['192.0.2.2', 'b1'], ['192.0.2.3', 'c1']);
  expect(waiting.next()).toBe('a1');
  waiting.add('192.0.2.1', 'a2');
  expect(inOrder(waiting)).toEqual(['b1', 'c1', 'a2']);
});

test('a network of IPv6 that one customer has is one address; a mapped IPv4 address is that address', () => {
  const waiting = room(
    ['2001:db8::1', 'a1'],
    ['2001:db8::2', 'a2'],
    ['2001:db8:0:1::1', 'b1'],
    ['::ffff:192.0.2.1', 'c1'],
    ['192.0.2.1', 'c2'],
  );
  expect(inOrder(waiting)).toEqual(['a1', 'b1', 'c1', 'a2', 'c2']);
});

test('the newest of the longest line makes room', () => {
  const waiting = room(['192.0.2.1', 'a1'], ['192.0.2.2', 'b1'], ['192.0.2.2', 'b2'], ['192.0.2.3', 'c1']);
  expect(waiting.newestOfLongest()).toBe('b2');
  expect(waiting.size).toBe(3);
  expect(inOrder(waiting)).toEqual(['a1', 'b1', 'c1']);
  expect(waiting.newestOfLongest()).toBeUndefined();
});

test('what is taken out by its kind leaves no empty line behind', () => {
  const waiting = room(['192.0.2.1', 'a1'], ['192.0.2.2', 'b1'], ['192.0.2.2', 'b2']);
  expect(waiting.takeOut((item) => item.endsWith('1'))).toEqual(['a1', 'b1']);
  expect([waiting.size, inOrder(waiting)]).toEqual([1, ['b2']]);
});

test('of lines as long the one makes room whose turn is last', () => {
  const waiting = room(['192.0.2.1', 'a1'], ['192.0.2.2', 'b1'], ['192.0.2.3', 'c1']);
  expect(waiting.newestOfLongest()).toBe('c1');
  expect(waiting.next()).toBe('a1');
});
