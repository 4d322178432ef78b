import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseGzcpAnswer } from '../../../../src/shared/protocol/gzcp.js';

test('a positive number is a user, 0 is nobody', () => {
  expect(parseGzcpAnswer('{"code":200,"data":{"uid":176906}}')).toEqual({ is: 'user', uid: 176_906 });
  expect(parseGzcpAnswer('{"code":200,"data":{"uid":0}}')).toEqual({ is: 'nobody' });
  expect(parseGzcpAnswer('{"code":200,"msg":"ok","data":{"uid":1,"name":"x"}}')).toEqual({
    is: 'user',
    uid: 1,
  });
});

test('decimal text is a number, and byte order marks and blanks around the answer are nothing', () => {
  for (const text of [
    '{"code":"200","data":{"uid":"176906"}}',
    '{"code":200,"data":{"uid":"176906"}}',
    '{"code":"200","data":{"uid":176906}}',
    '{"code":200,"data":{"uid":176906.0}}',
    ' \r\n{"code":200,"data":{"uid":176906}}\n\n',
    '\ufeff\ufeff{"code":200,"data":{"uid":176906}}',
  ]) {
    expect(parseGzcpAnswer(text)).toEqual({ is: 'user', uid: 176_906 });
  }
  for (const uid of ['0', '"0"', '0.0', '-0']) {
    expect(parseGzcpAnswer(`{"code":200,"data":{"uid":${uid}}}`)).toEqual({ is: 'nobody' });
  }
});

test.each([
  '{"code":200,"data":{"uid":""}}',
  '{"code":200,"data":{"uid":"00"}}',
  '{"code":200,"data":{"uid":"0176906"}}',
  '{"code":200,"data":{"uid":" 176906"}}',
  '{"code":200,"data":{"uid":"+176906"}}',
  '{"code":200,"data":{"uid":"-176906"}}',
  '{"code":200,"data":{"uid":"176906.0"}}',
  '{"code":200,"data":{"uid":"1e3"}}',
  '{"code":200,"data":{"uid":"9007199254740992"}}',
  '{"code":200,"data":{"uid":["176906"]}}',
  '{"code":200,"data":{"uid":null}}',
  '{"code":200,"data":{"uid":-5}}',
  '{"code":200,"data":{"uid":1.5}}',
  '{"code":200,"data":{"uid":true}}',
  '{"code":200,"data":{"uid":9007199254740993}}',
  '{"code":200,"data":{"uid":1e999}}',
  '{"code":200,"data":{}}',
  '{"code":200,"data":[176906]}',
  '{"code":200}',
  '{"code":"0200","data":{"uid":5}}',
  '{"code":"ok","data":{"uid":5}}',
  '{"code":500,"data":{"uid":5}}',
  '{"data":{"uid":5}}',
  '{"__proto__":{"code":200,"data":{"uid":5}}}',
  '[]',
  'null',
  '',
  '{"code":200,"data":{"uid":5}',
])('%s is faulty', (text) => {
  expect(parseGzcpAnswer(text).is).toBe('faulty');
});

test('whatever comes, only a positive safe integer is a user', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.jsonValue().map((uid) => JSON.stringify({ code: 200, data: { uid } })),
      ),
      (text) => {
        const answer = parseGzcpAnswer(text);
        if (answer.is === 'user') expect(Number.isSafeInteger(answer.uid) && answer.uid > 0).toBe(true);
        if (answer.is === 'faulty') expect(answer.reason.length).toBeLessThan(300);
      },
    ),
  );
});
