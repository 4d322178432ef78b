import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isWellFormed } from '../../../../src/shared/base/well-formed.js';
import { replyText } from '../../../../src/shared/protocol/ws-frames.js';
import { readFrame } from '../../../../src/worker/gateway/read-frame.js';
import { readStrictly } from '../../../support/strict-json.js';

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

  test('half of a character in cmd or id is refused, and is not in the reply', () => {
    for (const half of ['\\ud83d', 'a\\ude00', '\\ude00\\ud83d']) {
      expect(readFrame(`{"cmd":"ping","id":"${half}","ts":1}`)).toMatchObject({
        ok: false,
        unreadable: true,
        fault: { cmd: 'ping', id: '', code: 400, errors: [{ path: 'id' }] },
      });
      expect(readFrame(`{"cmd":"${half}","id":"7","ts":1}`)).toMatchObject({
        ok: false,
        unreadable: true,
        fault: { cmd: 'error', id: '7', code: 400, errors: [{ path: 'cmd' }] },
      });
    }
  });

  test.each(['ukey', 'token', 'device'])('half of a character in %s is refused', (field) => {
    const other = field === 'device' ? '"ukey":"k",' : '';
    const text = `{"cmd":"login","id":"1","ts":1,"body":{${other}"${field}":"cut \\ud83d"}}`;
    expect(readFrame(text)).toMatchObject({
      ok: false,
      unreadable: false,
      fault: { code: 400, errors: [{ path: `body.${field}` }] },
    });
  });

  test.each([
    ['cmd', 64],
    ['id', 64],
    ['body.ukey', 512],
    ['body.token', 512],
    ['body.device', 128],
  ])('%s has at most %i characters, an emoji being one', (path, most) => {
    const field = path.split('.').at(-1) ?? '';
    const frame = (text: string) => {
      const key = field === 'token' ? {} : { ukey: 'k' };
      const base = { cmd: 'login', id: '1', ts: 1 };
      return path === field
        ? { ...base, body: key, [field]: text }
        : { ...base, body: { ...key, [field]: text } };
    };
    const faults = (text: string) => {
      const found = read(frame(text));
      return found.ok ? [] : found.fault.errors.map((error) => error.path);
    };
    for (const one of ['x', '字', '😀']) {
      expect(faults(one.repeat(most)).filter((each) => each === path && field !== 'cmd')).toEqual([]);
      expect(faults(one.repeat(most + 1))).toEqual([path]);
    }
  });

  test('whatever comes, a strict parser can read what answers it', () => {
    const half = fc.constantFrom('\\ud83d', '\\ude00', '😀', 'x', '"', '{', '\\u0000', '\\\\ud83d');
    const part = fc.array(half, { maxLength: 90 }).map((parts) => parts.join(''));
    const frame = fc.oneof(
      fc
        .tuple(part, part, part)
        .map(([cmd, id, key]) => `{"cmd":"${cmd}","id":"${id}","ts":1,"body":{"${key}":1}}`),
      fc
        .tuple(part, part)
        .map(
          ([device, kind]) =>
            `{"cmd":"login","id":"1","ts":1,"body":{"device":"${device}","kind":"${kind}"}}`,
        ),
      part,
      fc.tuple(fc.nat(200), part).map(([blanks, rest]) => `${' '.repeat(blanks)}{"a":${rest}`),
    );
    fc.assert(
      fc.property(frame, (text) => {
        const result = readFrame(text);
        const { cmd, id } = result.ok ? result.command : result.fault;
        const body = result.ok ? {} : { errors: result.fault.errors };
        const msg = result.ok ? 'ok' : result.fault.msg;
        for (const word of [cmd, id, msg, ...('errors' in body ? body.errors.flatMap(Object.values) : [])]) {
          expect(isWellFormed(String(word))).toBe(true);
        }
        readStrictly(replyText({ cmd, id, ts: 1, code: 400, msg, body }));
      }),
      { numRuns: 1000 },
    );
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
