/** Holds each Chinese page of docs/ to its English twin: who changes one of them is told what the other is missing. */
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { faultsOfTwins, twinName } from '../../support/doc-twins.js';
import { repositoryFile } from '../../support/kept-file.js';
import { linkTargetsOf, sectionsOf } from '../../support/markdown-page.js';

/** English pages of docs/ that have a Chinese twin, and must keep it. */
const TRANSLATED = ['INSTALL.md', 'OPERATIONS.md', 'ERRORS.md', 'PROTOCOL.md'];

const pages = new Map(
  TRANSLATED.map((name) => [
    name,
    { english: repositoryFile(`docs/${name}`), chinese: repositoryFile(`docs/${twinName(name)}`) },
  ]),
);

describe('the Chinese pages of docs/', () => {
  test('are those of the list', () => {
    const found = readdirSync(new URL('../../../docs/', import.meta.url)).filter((name) =>
      name.endsWith('.zh-CN.md'),
    );
    expect(found.sort()).toEqual(TRANSLATED.map(twinName).sort());
  });

  test.each([...pages])('%s and its twin say the same', (name, page) => {
    expect(faultsOfTwins({ name, ...page, pages })).toEqual([]);
  });

  test('are where README.zh-CN.md leads, to headings that are there', () => {
    const targets = linkTargetsOf(repositoryFile('README.zh-CN.md')).map((target) => target.split('#'));
    for (const name of TRANSLATED) {
      const files = targets.map(([file]) => file);
      expect(files).toContain(`docs/${twinName(name)}`);
      expect(files, 'this page has a twin').not.toContain(`docs/${name}`);
      const anchors = sectionsOf(pages.get(name)?.chinese ?? '').map(({ anchor }) => anchor);
      for (const [file, anchor] of targets) {
        if (file === `docs/${twinName(name)}` && anchor !== undefined) expect(anchors).toContain(anchor);
      }
    }
  });
});
