import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readFrame } from '../../../../src/worker/gateway/read-frame.js';

const ID = '1600000000000000001';

function read(value: unknown): ReturnType<typeof readFrame> {
  return readFrame(JSON.stringify(value));
}

describe('readFrame', () => {
  test('reads a login', () => {
    expect(read({ cmd: 'login', id: '1', ts: 1_612_322_032, body: { ukey: 'k', ack: true } })).toEqual({
      ok: true,
      command: { cmd: 'login', id: '1', body: { ukey: 'k', ack: true } },
    });
  });

  test.each([undefined, null, ''])('a body may be %j', (body) => {
    expect(read({ cmd: 'ping', id: '1', ts: 1, body })).toMatchObject({ ok: true });
  });

  test.each([
    ['not JSON', '{"cmd":'],
    ['an array', '[]'],
    ['a number', '7'],
    ['null', 'null'],
    ['empty', ''],
  ])('%s is unreadable, with cmd "error" and id ""', (_name, text) => {
    expect(readFrame(text)).toMatchObject({
      ok: false,
      unreadable: true,
      fault: { cmd: 'error', id: '', code: 400 },
    });
  });

  test.each([
    ['cmd', { id: '1', ts: 1 }],
    ['cmd', { cmd: '', id: '1', ts: 1 }],
    ['id', { cmd: 'ping', ts: 1 }],
    ['id', { cmd: 'ping', id: '', ts: 1 }],
    ['id', { cmd: 'ping', id: 7, ts: 1 }],
    ['ts', { cmd: 'ping', id: '1' }],
    ['ts', { cmd: 'ping', id: '1', ts: '1612322032' }],
    ['ts', { cmd: 'ping', id: '1', ts: 1.5 }],
    ['body', { cmd: 'ping', id: '1', ts: 1, body: 'text' }],
    ['body', { cmd: 'ping', id: '1', ts: 1, body: [] }],
  ])('a wrong or missing %s is named: %j', (field, value) => {
    const result = read(value);
    expect(result).toMatchObject({ ok: false, unreadable: true, fault: { code: 400 } });
    if (!result.ok) expect(result.fault.errors.map(({ path }) => path)).toContain(field);
  });

  test('cmd and id are echoed when they could be read', () => {
    expect(read({ cmd: 'ping', id: '9' })).toMatchObject({ ok: false, fault: { cmd: 'ping', id: '9' } });
  });

  test('an unknown command is 404 and readable', () => {
    expect(read({ cmd: 'shout', id: '1', ts: 1 })).toMatchObject({
      ok: false,
      unreadable: false,
      fault: { code: 404 },
    });
  });

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('%s is no command', (cmd) => {
    expect(read({ cmd, id: '1', ts: 1 })).toMatchObject({ ok: false, fault: { code: 404 } });
  });

  test.each([
    ['login', {}],
    ['login', { ukey: 'a', token: 'b' }],
    ['login', { ukey: '' }],
    ['login', { ukey: 7 }],
    ['login', { ukey: 'a', ack: 'yes' }],
    ['ack', {}],
    ['ack', { ids: [] }],
    ['ack', { ids: [1] }],
    ['ack', { ids: ['12'] }],
    ['ack', { ids: Array.from({ length: 501 }, () => ID) }],
    ['list', { limit: 101 }],
    ['list', { limit: 0 }],
    ['list', { kind: 'gossip' }],
    ['list', { cursor: 'x' }],
    ['read', {}],
    ['read', { all: false }],
    ['read', { ids: [] }],
    ['read', { ids: ['x'], kind: 'comment' }],
    ['read', { kind: 'comment', all: true }],
  ])('%s refuses %j', (cmd, body) => {
    const result = read({ cmd, id: '1', ts: 1, body });
    expect(result).toMatchObject({ ok: false, unreadable: false, fault: { cmd, id: '1', code: 400 } });
    if (!result.ok) expect(result.fault.errors.every(({ path }) => path.startsWith('body'))).toBe(true);
  });

  test('prototype keys are data and change nothing', () => {
    const text = `{"cmd":"ping","id":"1","ts":1,"body":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}`;
    expect(readFrame(text)).toMatchObject({ ok: true });
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test('nesting as deep as a frame allows is survived', () => {
    const deep = '['.repeat(8000) + ']'.repeat(8000);
    expect(readFrame(deep).ok).toBe(false);
    expect(readFrame(`{"cmd":"ping","id":"1","ts":1,"body":{"a":${deep}}}`).ok).toBe(true);
  });

  test('never throws, and never answers with more than it was sent', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.jsonValue().map((value) => JSON.stringify(value)),
        ),
        (text) => {
          const result = readFrame(text);
          if (!result.ok) expect(JSON.stringify(result.fault).length).toBeLessThan(4096 + 2 * text.length);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('never throws on objects that look nearly right', () => {
    const nearly = fc.record(
      {
        cmd: fc.oneof(fc.constantFrom('login', 'ack', 'read', 'list', 'ping', 'x'), fc.jsonValue()),
        id: fc.oneof(fc.string(), fc.jsonValue()),
        ts: fc.oneof(fc.integer(), fc.jsonValue()),
        body: fc.oneof(
          fc.record({
            ids: fc.jsonValue(),
            ukey: fc.jsonValue(),
            token: fc.jsonValue(),
            limit: fc.jsonValue(),
          }),
          fc.jsonValue(),
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(nearly, (value) => {
        readFrame(JSON.stringify(value));
      }),
      { numRuns: 1000 },
    );
  });
});
