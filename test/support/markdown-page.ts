/** A page of the documentation taken apart: headings, and below each its tables, code blocks, list items and paragraphs. */

export interface CodeBlock {
  /** What stands behind the opening fence. */
  readonly language: string;
  readonly lines: readonly string[];
}

export interface Section {
  readonly heading: string;
  readonly level: number;
  /** Number of the heading's line. */
  readonly line: number;
  /** Anchor of the heading, as GitHub makes it. */
  readonly anchor: string;
  readonly blocks: readonly CodeBlock[];
  /** Rows of each table, its head and its dashes among them. */
  readonly tables: readonly (readonly string[])[];
  /** Paragraphs and list items, each on one line. */
  readonly texts: readonly string[];
  readonly listItems: number;
}

const FENCE = /^\s*```([\w-]*)$/;
const HEADING = /^(#{1,6}) (.+)$/;
const LIST_ITEM = /^\s*(?:[-*]|\d+\.) /;
const CODE_SPAN = /(`+)([\s\S]*?[^`])\1(?!`)/g;

/** Text before the first heading has no place in a page. */
export function sectionsOf(page: string): Section[] {
  const sections: Section[] = [];
  const anchors = new Map<string, number>();
  let lines: string[] = [];
  let block: { language: string; lines: string[] } | undefined;
  let open: { heading: string; level: number; line: number; blocks: CodeBlock[] } | undefined;

  const close = (): void => {
    if (open) sections.push({ ...open, anchor: anchorOf(open.heading, anchors), ...textsOf(lines) });
    lines = [];
  };
  for (const [index, line] of page.split('\n').entries()) {
    const fence = FENCE.exec(line);
    const heading = block ? null : HEADING.exec(line);
    if (fence && !block) {
      block = { language: fence[1] ?? '', lines: [] };
      lines.push('');
    } else if (fence && block) {
      open?.blocks.push(block);
      block = undefined;
    } else if (block) {
      block.lines.push(line);
    } else if (heading) {
      close();
      open = { heading: heading[2] ?? '', level: heading[1]?.length ?? 0, line: index + 1, blocks: [] };
    } else if (open) {
      lines.push(line);
    } else if (line !== '') {
      throw new Error(`line ${index + 1} stands before the first heading`);
    }
  }
  if (block) throw new Error(`the last code block is not closed (${block.lines[0] ?? ''})`);
  close();
  return sections;
}

/** @param before how often each anchor was given away on this page. */
function anchorOf(heading: string, before: Map<string, number>): string {
  const anchor = withoutLinkTargets(heading)
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{Nd}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');
  const count = before.get(anchor) ?? 0;
  before.set(anchor, count + 1);
  return count === 0 ? anchor : `${anchor}-${count}`;
}

function textsOf(lines: readonly string[]): Pick<Section, 'tables' | 'texts' | 'listItems'> {
  const tables: string[][] = [];
  const texts: string[] = [];
  let listItems = 0;
  let table: string[] | undefined;
  let text: string | undefined;
  const endText = (): void => {
    if (text !== undefined) texts.push(text);
    text = undefined;
  };
  for (const line of lines) {
    if (line.startsWith('|')) {
      endText();
      if (!table) {
        table = [];
        tables.push(table);
      }
      table.push(line);
      continue;
    }
    table = undefined;
    if (line.trim() === '') {
      endText();
    } else if (LIST_ITEM.test(line)) {
      endText();
      listItems += 1;
      text = line.replace(LIST_ITEM, '');
    } else {
      text = text === undefined ? line.trim() : `${text} ${line.trim()}`;
    }
  }
  endText();
  return { tables, texts, listItems };
}

export function codeSpansOf(text: string): string[] {
  return [...text.matchAll(CODE_SPAN)].map((found) => found[2] ?? '');
}

export function linkTargetsOf(text: string): string[] {
  return [...withoutCodeSpans(text).matchAll(/\]\(([^)\s]+)\)/g)].map((found) => found[1] ?? '');
}

export function cellsOf(row: string): string[] {
  const spans: string[] = [];
  const masked = row.replace(CODE_SPAN, (span) => {
    spans.push(span);
    return '\0';
  });
  const cells = masked.replace(/^\||\|\s*$/g, '').split('|');
  return cells.map((cell) => cell.replaceAll('\0', () => spans.shift() ?? '').trim());
}

/** The words that a reader reads: no code, and of links what stands in brackets. */
export function wordsOf(text: string): string {
  return withoutCodeSpans(withoutLinkTargets(text));
}

function withoutCodeSpans(text: string): string {
  return text.replace(CODE_SPAN, '\0');
}

function withoutLinkTargets(text: string): string {
  return text.replace(/\]\([^)\s]+\)/g, ']');
}
