/** Code blocks of the documentation, as they are printed: what a reader copies is what a test runs. */
import { repositoryFile } from './kept-file.js';

export interface DocBlock {
  /** What stands behind the opening fence. */
  readonly language: string;
  readonly text: string;
}

/** @param heading with its `#`; blocks of the headings below it are included. */
export function docBlocks(file: string, heading: string, language?: string): DocBlock[] {
  const text = repositoryFile(file);
  const start = text.indexOf(`\n${heading}\n`);
  if (start === -1) throw new Error(`${file} has no heading "${heading}"`);
  const rest = text.slice(start + heading.length + 2);
  const end = rest.search(new RegExp(`^#{1,${heading.indexOf(' ')}} `, 'm'));
  const section = end === -1 ? rest : rest.slice(0, end);
  const blocks = [...section.matchAll(/^```([\w-]*)\n([\s\S]*?)^```$/gm)].map((found) => ({
    language: found[1] ?? '',
    text: found[2] ?? '',
  }));
  return language === undefined ? blocks : blocks.filter((block) => block.language === language);
}

/** The one that has this in it. */
export function docBlock(file: string, heading: string, has: string | RegExp): string {
  const found = docBlocks(file, heading).filter(({ text }) =>
    typeof has === 'string' ? text.includes(has) : has.test(text),
  );
  const [block] = found;
  if (!block || found.length > 1)
    throw new Error(`${found.length} blocks of ${file}, "${heading}", have ${has}; one should`);
  return block.text;
}
