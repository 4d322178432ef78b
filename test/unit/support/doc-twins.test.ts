/** The comparison of twins finds what it is there to find. */
import { describe, expect, test } from 'vitest';
import { faultsOfTwins } from '../../support/doc-twins.js';

const ENGLISH = `# Pushing

[中文](PAGE.zh-CN.md)

How a message is pushed; faults are in [OTHER.md](OTHER.md#close-codes), the way is [below](#the-way).

## The way

A message waits at most 30 s (\`ResendSeconds\`), 1,000 of them at a time.

- first \`push\`
- then \`ack\`

| code | come back? |
|---|---|
| 4001 | yes, after \`bye.retryAfter\` |
| 4003 | no, not until the person logs in |

\`\`\`sh
npm start      # in the foreground
curl -s http://127.0.0.1:9501/healthz
\`\`\`

\`\`\`php
/** What spush said. */
final class Answer {} // of a call
\`\`\`
`;

const CHINESE = `# 推送

[English](PAGE.md)

消息怎样推送；错误见 [OTHER.md](OTHER.zh-CN.md#关闭码)，过程见[下文](#过程)。

## 过程

消息最多等 30 秒（\`ResendSeconds\`），一次 1,000 条。

- 先 \`push\`
- 再 \`ack\`

| 码 | 重连吗？ |
|---|---|
| 4001 | 是，等 \`bye.retryAfter\` |
| 4003 | 否，直到本人登录 |

\`\`\`sh
npm start      # 在前台
curl -s http://127.0.0.1:9501/healthz
\`\`\`

\`\`\`php
/** spush 的应答。 */
final class Answer {} // 一次调用的
\`\`\`
`;

const pages = new Map([
  ['OTHER.md', { english: '# Errors\n\n## Close codes\n', chinese: '# 错误\n\n## 关闭码\n' }],
]);

function faults(english: string, chinese: string): string[] {
  return faultsOfTwins({ name: 'PAGE.md', english, chinese, pages });
}

/** What is said when this of the Chinese page is something else. */
function changed(from: string | RegExp, to: string): string {
  const text = CHINESE.replace(from, to);
  expect(text, `${from} is not in the page`).not.toBe(CHINESE);
  return faults(ENGLISH, text).join('\n');
}

describe('twins', () => {
  test('that say the same have no faults', () => {
    expect(faults(ENGLISH, CHINESE)).toEqual([]);
  });

  test.each([
    ['a section that is missing', /## 过程[\s\S]*/, '', 'heading 2'],
    ['a heading of another level', '## 过程', '### 过程', 'heading 2'],
    ['another link under the title', '[English](PAGE.md)', '[English](README.md)', 'under the title'],
    ['a code span that is gone', '（`ResendSeconds`）', '', 'code span ResendSeconds'],
    ['a code span too many', '先 `push`', '先 `push` 和 `pull`', 'code span pull'],
    ['code spans in the wrong row', '是，等 `bye.retryAfter`', '是', 'table 1, row 3'],
    ['a number that differs', '1,000 条', '100 条', 'number 1,000'],
    ['a number of a table that differs', '| 4003 |', '| 4004 |', 'number 4003'],
    ['a row that is missing', /\| 4003 .*\n/, '', 'rows: 4 in the English page, 3'],
    ['a cell that is missing', '| 4003 | 否，直到本人登录 |', '| 4003 |', 'cells'],
    ['a yes for a no', '否，直到本人登录', '是，直到本人登录', 'should begin with 是 or 否'],
    ['a list item that is missing', '- 再 `ack`\n', '', 'list items'],
    ['code that differs', 'curl -s http', 'curl http', 'code block 1, line 2'],
    ['code before a comment that differs', 'npm start ', 'npm test ', 'code block 1, line 1'],
    ['a comment in neither language', '// 一次调用的', '// d’un appel', 'code block 2, line 2'],
    ['code behind a comment', '/** spush 的应答。 */', '/** spush 的应答。 */ exit;', 'code block 2, line 1'],
    ['a comment that is not closed', '/** spush 的应答。 */', '/** spush 的应答。', 'code block 2, line 1'],
    ['a line of code that is missing', 'npm start      # 在前台\n', '', 'code block 1: lines'],
    ['a block of another language', '```php', '```js', 'should be ```php'],
    [
      'a link to the English page',
      'OTHER.zh-CN.md#关闭码',
      'OTHER.md#close-codes',
      'the link to OTHER.zh-CN.md#关闭码 is missing',
    ],
    ['a link to no heading', '#过程', '#the-way', 'the link to #the-way has no counterpart'],
    [
      'a paragraph in English',
      /消息最多等.*/,
      'A message waits 30 s (`ResendSeconds`), 1,000 each.',
      'is in English',
    ],
    ['a row in English', '| 码 | 重连吗？ |', '| code | come back? |', 'is in English'],
    [
      'a sentence in English',
      '一次 1,000 条。',
      '一次 1,000 条。 They are sent again until somebody acknowledges.',
      'is in English in part',
    ],
    ['bold that ends in a mark before a letter', '消息最多', '**推送。**消息最多', 'not shown in bold'],
    [
      'bold that begins with a mark behind a letter',
      '消息最多',
      '消息**（全部）** 最多',
      'not shown in bold',
    ],
  ])('with %s', (_what, from, to, said) => {
    expect(changed(from, to)).toContain(said);
  });

  test('may have bold words, and marks in them before a blank', () => {
    const chinese = CHINESE.replace('消息最多', '**推送。** 每条**消息**，最多');
    expect(faults(ENGLISH, chinese)).toEqual([]);
  });

  test('say which section it is', () => {
    expect(changed('1,000 条', '100 条')).toContain('"The way" (line 7 of the Chinese page)');
  });

  test('with a link in English that leads nowhere', () => {
    const english = ENGLISH.replace('(#the-way)', '(#a-way)');
    expect(faults(english, CHINESE).join('\n')).toContain('the English page links to #a-way');
  });
});
