/** Holds the tour to the tree: files named in docs/ARCHITECTURE.md and in the decisions are there, and links lead somewhere. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../..');
const DOCS = join(ROOT, 'docs');
const pages = readdirSync(DOCS, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.md'));
const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
const fileNames = new Set(sources.map((file) => basename(file)));

test.each(pages)('%s names no file that is not there', (page) => {
  const text = readFileSync(join(DOCS, page), 'utf8');
  const named = [...text.matchAll(/`((?:[\w.-]+\/)*[\w-]+\.(?:ts|cjs|mjs))`/g)].map(
    (found) => found[1] ?? '',
  );
  const gone = named.filter((file) => {
    // Named because there is none.
    if (file === 'index.ts') return false;
    if (!file.includes('/')) return !fileNames.has(file) && !existsSync(join(ROOT, file));
    const inSources = sources.some((known) => known === file || known.endsWith(`/${file}`));
    return !inSources && !existsSync(join(ROOT, file));
  });
  expect(gone).toEqual([]);
});

test.each(pages)('%s links to pages and headings that are there', (page) => {
  const text = readFileSync(join(DOCS, page), 'utf8');
  for (const [, target = '', anchor = ''] of text.matchAll(/\]\(([^)#\s:]*)(?:#([^)\s]+))?\)/g)) {
    const file = target === '' ? join(DOCS, page) : resolve(DOCS, dirname(page), target);
    expect(existsSync(file), `${page} links to ${target}`).toBe(true);
    if (anchor !== '') expect(anchorsOf(file), `${page} links to ${target}#${anchor}`).toContain(anchor);
  }
});

/** As GitHub makes them of headings. */
function anchorsOf(file: string): string[] {
  const headings = readFileSync(file, 'utf8').matchAll(/^#{1,6} (.+)$/gm);
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
