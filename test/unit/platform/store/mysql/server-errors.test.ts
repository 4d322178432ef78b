import { describe, expect, test } from 'vitest';
import {
  duplicateKey,
  isConnectionLost,
  isContention,
  refusesCommit,
  spoilsConnection,
  takesNoWrites,
} from '../../../../../src/platform/store/mysql/server-errors.js';

function serverError(errno: number, text = 'said no'): Error {
  return Object.assign(new Error(text), { errno, sqlState: 'HY000', code: `ER_${errno}` });
}

function driverError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

const READ_ONLY =
  'The MariaDB server is running with the --read-only option so it cannot execute this statement';

describe('what may be done about an error', () => {
  test('what the server took back for the sake of others is tried again on the same connection', () => {
    for (const errno of [1020, 1205, 1213, 1317, 1969, 3024, 3101]) {
      expect(isContention(serverError(errno)), `${errno}`).toBe(true);
      expect(spoilsConnection(serverError(errno)), `${errno}`).toBe(false);
    }
  });

  test('every answer that means "takes no changes" ends the connection', () => {
    const answers = [1015, 1036, 1047, 1223, 1792, 1836, 1874, 1881, 3032, 3100, 3781, 3782, 3783, 3989];
    for (const error of [...answers.map((errno) => serverError(errno)), serverError(1290, READ_ONLY)]) {
      expect(takesNoWrites(error), error.message).toBe(true);
      expect(spoilsConnection(error), error.message).toBe(true);
      expect(isContention(error), error.message).toBe(false);
    }
  });

  test('other options that forbid something are not taken for a replica, and end the connection too', () => {
    const error = serverError(1290, 'The server is running with the --secure-file-priv option so it cannot');
    expect(takesNoWrites(error)).toBe(false);
    expect(refusesCommit(error)).toBe(false);
    expect(spoilsConnection(error)).toBe(true);
  });

  test('an answer that nobody has thought of ends the connection, in doubt when it answers COMMIT', () => {
    for (const errno of [1, 1142, 1180, 1227, 9999]) {
      expect(spoilsConnection(serverError(errno)), `${errno}`).toBe(true);
      expect(refusesCommit(serverError(errno)), `${errno}`).toBe(false);
    }
  });

  test('what one statement asked for has nothing to do with the connection', () => {
    for (const errno of [1062, 1146, 1264, 1366, 1406])
      expect(spoilsConnection(serverError(errno)), `${errno}`).toBe(false);
  });

  test('only some answers to COMMIT say for certain that nothing was kept', () => {
    for (const error of [
      serverError(1213),
      serverError(1205),
      serverError(1836),
      serverError(1290, READ_ONLY),
    ])
      expect(refusesCommit(error), error.message).toBe(true);
    for (const error of [serverError(1047), serverError(1053), serverError(1969), driverError('ECONNRESET')])
      expect(refusesCommit(error), error.message).toBe(false);
  });

  test('lost connections are replaced, those without an answer in time are not tried again', () => {
    for (const error of [
      driverError('ECONNRESET'),
      driverError('PROTOCOL_CONNECTION_LOST'),
      ...[1053, 1077, 1079, 1927, 3168, 3169, 4031].map((errno) => serverError(errno)),
    ]) {
      expect(isConnectionLost(error), error.message).toBe(true);
      expect(spoilsConnection(error), error.message).toBe(true);
    }
    for (const code of ['PROTOCOL_SEQUENCE_TIMEOUT', 'ETIMEDOUT']) {
      expect(isConnectionLost(driverError(code))).toBe(false);
      expect(spoilsConnection(driverError(code))).toBe(true);
    }
  });

  test('what is wrong in the program ends the connection', () => {
    const error = new TypeError('x is not a function');
    expect(isConnectionLost(error)).toBe(false);
    expect(spoilsConnection(error)).toBe(true);
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
});
