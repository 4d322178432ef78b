import { describe, expect, test } from 'vitest';
import {
  duplicateKey,
  faultOf,
  isConnectionLost,
  isContention,
  isOfOneCall,
  isUnreachable,
  spoilsConnection,
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

describe('what may be done about an error', () => {
  test('deadlocks and lock waits are tried again on the same connection', () => {
    for (const errno of [1205, 1213]) {
      expect(isContention(serverError(errno))).toBe(true);
      expect(spoilsConnection(serverError(errno))).toBe(false);
    }
  });

  test('lost connections are replaced, those without an answer in time are not tried again', () => {
    for (const error of [
      driverError('ECONNRESET'),
      driverError('PROTOCOL_CONNECTION_LOST'),
      serverError(1053),
    ]) {
      expect(isConnectionLost(error)).toBe(true);
      expect(spoilsConnection(error)).toBe(true);
    }
    for (const code of ['PROTOCOL_SEQUENCE_TIMEOUT', 'ETIMEDOUT']) {
      expect(isConnectionLost(driverError(code))).toBe(false);
      expect(spoilsConnection(driverError(code))).toBe(true);
    }
  });

  test('what is wrong in the program ends the connection and is no fault of the server', () => {
    const error = new TypeError('x is not a function');
    expect(isConnectionLost(error)).toBe(false);
    expect(spoilsConnection(error)).toBe(true);
    expect(faultOf(place, error).code).toBe('INTERNAL');
  });

  test('a unique key is known by its name, in the words of both servers', () => {
    expect(duplicateKey(serverError(1062, "Duplicate entry '1' for key 'PRIMARY'"))).toBe('PRIMARY');
    expect(duplicateKey(serverError(1062, "Duplicate entry '1' for key 'spush_message.PRIMARY'"))).toBe(
      'PRIMARY',
    );
    expect(
      duplicateKey(serverError(1062, "Duplicate entry 'a' for key 'b'-1-1' for key 'spush_message_caller'")),
    ).toBe('spush_message_caller');
    expect(duplicateKey(serverError(1213))).toBe(null);
  });

  test('only what one call asks for is left to that call', () => {
    expect(isOfOneCall(textTooLong(place, 5, 4))).toBe(true);
    expect(isOfOneCall(faultOf(place, serverError(1406)))).toBe(true);
    expect(isOfOneCall(faultOf(place, serverError(1021)))).toBe(false);
    expect(isUnreachable(faultOf(place, driverError('ECONNREFUSED')))).toBe(true);
    expect(isUnreachable(faultOf(place, serverError(1021)))).toBe(false);
    expect(isUnreachable(textTooLong(place, 5, 4))).toBe(false);
  });
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
});
