import { expect, test } from 'vitest';
import {
  faultOf,
  isOfOneCall,
  isUnfit,
  isUnreachable,
  readsOnly,
  startFault,
  textTooLong,
} from '../../../../../src/platform/store/mysql/mysql-faults.js';

const place = { host: 'db', port: 3306, user: 'spush', database: 'messages' };

function serverError(errno: number, text = 'said no'): Error {
  return Object.assign(new Error(text), { errno, sqlState: 'HY000', code: `ER_${errno}` });
}

function driverError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

test('only what one call asks for is left to that call', () => {
  expect(isOfOneCall(textTooLong(place, 5, 4))).toBe(true);
  expect(isOfOneCall(faultOf(place, serverError(1406)))).toBe(true);
  expect(isOfOneCall(faultOf(place, serverError(1021)))).toBe(false);
  expect(isOfOneCall(faultOf(place, serverError(1213)))).toBe(false);
});

test('what waits for a server that is not there, or takes no changes, is not kept waiting', () => {
  const readOnly = readsOnly(place, { name: 'read_only', value: 'ON', advice: 'Point elsewhere' });
  expect(isUnfit(readOnly)).toBe(true);
  for (const fault of [
    faultOf(place, driverError('ECONNREFUSED')),
    faultOf(place, serverError(1036)),
    readOnly,
  ])
    expect(isUnreachable(fault), fault.message).toBe(true);
  for (const fault of [
    faultOf(place, serverError(1021)),
    faultOf(place, serverError(1213)),
    textTooLong(place, 5, 4),
  ])
    expect(isUnreachable(fault), fault.message).toBe(false);
});

test('what is wrong in the program is no fault of the server', () => {
  expect(faultOf(place, new TypeError('x is not a function')).code).toBe('INTERNAL');
});

test('texts name the place, the error and what to do; at a start without promising to go on', () => {
  const running = faultOf(place, driverError('ECONNREFUSED'));
  expect(running.code).toBe('STORE_UNAVAILABLE');
  expect(running.message).toContain('"messages" at db:3306 (user "spush")');
  expect(running.message).toContain('goes on by itself');
  const starting = startFault(place, driverError('ECONNREFUSED'));
  expect(starting.code).toBe('START_FAILED');
  expect(starting.message).not.toContain('goes on by itself');
  expect(faultOf(place, serverError(1045)).message).toMatch(/error 1045.*SPUSH_DB_PASSWORD/);
  expect(faultOf(place, serverError(1036)).message).toMatch(/error 1036.*point db\.ts to the primary/);
});
