/**
 * Whether a Chinese page of the documentation says the same as its English twin, as far as that can be seen without
 * reading: headings, tables, code, names, numbers and links. What was changed in one of them only is named with its section.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  type CodeBlock,
  cellsOf,
  codeSpansOf,
  linkTargetsOf,
  type Section,
  sectionsOf,
  wordsOf,
} from './markdown-page.js';

export interface Twins {
  /** Name of the English page in its folder, like `ERRORS.md`. */
  readonly name: string;
  readonly english: string;
  readonly chinese: string;
  /** The pages of the folder that have twins, by their English names: links from one Chinese page lead to another. */
  readonly pages: ReadonlyMap<string, { readonly english: string; readonly chinese: string }>;
}

const HAN = /\p{Script=Han}/u;
/** English words one behind the other, from so many on, are a sentence that was not translated. */
const ENGLISH_RUN = /(?:\b[A-Za-z][A-Za-z'’-]*[ ,.;:]+){6}/;

export function twinName(name: string): string {
  return name.replace(/\.md$/, '.zh-CN.md');
}

/** One line for each difference; none: the pages are twins. */
export function faultsOfTwins(twins: Twins): string[] {
  const english = sectionsOf(withoutLanguageLink(twins.english));
  const chinese = sectionsOf(withoutLanguageLink(twins.chinese));
  const faults = languageLinkFaults(twins);
  const headings = headingFaults(english, chinese);
  // Below headings that do not fit together everything is different: the rest would only hide the cause.
  if (headings.length > 0) return [...faults, ...headings];
  for (const [index, section] of english.entries()) {
    const twin = chinese[index];
    if (twin) faults.push(...sectionFaults(section, twin, twins, english, chinese));
  }
  return faults;
}

const LANGUAGE_LINK = /^(# .+\n\n)\[(中文|English)\]\(([^)]+)\)\n/;

function withoutLanguageLink(page: string): string {
  return page.replace(LANGUAGE_LINK, '$1\n');
}

function languageLinkFaults({ name, english, chinese }: Twins): string[] {
  const expected = [
    { page: name, text: english, link: `[中文](${twinName(name)})` },
    { page: twinName(name), text: chinese, link: `[English](${name})` },
  ];
  return expected
    .filter(({ text, link }) => !text.startsWith(`${text.split('\n', 1)[0]}\n\n${link}\n`))
    .map(({ page, link }) => `${page}: the line under the title should be ${link}`);
}

function headingFaults(english: readonly Section[], chinese: readonly Section[]): string[] {
  const shown = (section: Section | undefined): string =>
    section ? `"${'#'.repeat(section.level)} ${section.heading}" (line ${section.line})` : 'no more headings';
  const count = Math.max(english.length, chinese.length);
  for (let index = 0; index < count; index += 1) {
    const [one, other] = [english[index], chinese[index]];
    if (one?.level !== other?.level)
      return [`heading ${index + 1}: the English page has ${shown(one)}, the Chinese one ${shown(other)}`];
  }
  return [];
}

function sectionFaults(
  english: Section,
  chinese: Section,
  twins: Twins,
  allEnglish: readonly Section[],
  allChinese: readonly Section[],
): string[] {
  const proseOf = (section: Section): string => [section.heading, ...section.texts].join('\n');
  const everythingOf = (section: Section): string => [proseOf(section), ...section.tables.flat()].join('\n');
  const links = { english: allEnglish, chinese: allChinese, twins };
  const faults = [
    ...blockFaults(english.blocks, chinese.blocks),
    ...countFaults('list items', english.listItems, chinese.listItems),
    ...tableFaults(english.tables, chinese.tables),
    ...multisetFaults(
      'code span',
      codeSpansOf(everythingOf(english)),
      codeSpansOf(everythingOf(chinese)),
      true,
    ),
    ...numberFaults(proseOf(english), proseOf(chinese)),
    ...linkFaults(linkTargetsOf(everythingOf(english)), linkTargetsOf(everythingOf(chinese)), links),
    ...languageFaults(english, chinese),
  ];
  return faults.map((fault) => `"${english.heading}" (line ${chinese.line} of the Chinese page): ${fault}`);
}

function countFaults(what: string, english: number, chinese: number): string[] {
  return english === chinese
    ? []
    : [`${what}: ${english} in the English page, ${chinese} in the Chinese one`];
}

function countsOf(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** @param isExact false: the Chinese page may have more. */
function multisetFaults(
  what: string,
  english: readonly string[],
  chinese: readonly string[],
  isExact: boolean,
): string[] {
  const [wanted, found] = [countsOf(english), countsOf(chinese)];
  return [...new Set([...english, ...chinese])].flatMap((value) => {
    const [times, timesFound] = [wanted.get(value) ?? 0, found.get(value) ?? 0];
    const isGood = isExact ? times === timesFound : times <= timesFound;
    return isGood ? [] : [`${what} ${value}: ${times} in the English page, ${timesFound} in the Chinese one`];
  });
}

/** Where English has a word, Chinese often has digits; the other way round a number was lost or changed. */
function numberFaults(english: string, chinese: string): string[] {
  const numbersOf = (text: string): string[] =>
    wordsOf(text).match(/(?<![\p{L}\d.])\d+(?:[.,:]\d+)*/gu) ?? [];
  return multisetFaults('number', numbersOf(english), numbersOf(chinese), false);
}

function tableFaults(english: Section['tables'], chinese: Section['tables']): string[] {
  if (english.length !== chinese.length) return countFaults('tables', english.length, chinese.length);
  return english.flatMap((rows, index) => {
    const twin = chinese[index] ?? [];
    const name = `table ${index + 1}`;
    if (rows.length !== twin.length) return countFaults(`${name}: rows`, rows.length, twin.length);
    return rows.flatMap((row, number) =>
      rowFaults(row, twin[number] ?? '').map((fault) => `${name}, row ${number + 1} (${row}): ${fault}`),
    );
  });
}

function rowFaults(english: string, chinese: string): string[] {
  const [cells, twins] = [cellsOf(english), cellsOf(chinese)];
  if (cells.length !== twins.length) return countFaults('cells', cells.length, twins.length);
  return cells.flatMap((cell, index) => {
    const twin = twins[index] ?? '';
    const answer = /^(yes|no)(?=[,.:]|$)/.exec(cell)?.[1];
    const isAnswered = answer === undefined || twin.startsWith(answer === 'yes' ? '是' : '否');
    return [
      ...multisetFaults('code span', codeSpansOf(cell), codeSpansOf(twin), true),
      ...numberFaults(cell, twin),
      ...(cell !== '' && twin === '' ? ['an empty cell'] : []),
      ...(isAnswered ? [] : [`"${cell}" should begin with 是 or 否, as it does in English, not "${twin}"`]),
    ];
  });
}

/** Comments may be translated; all else in a block is the same to the letter. */
function blockFaults(english: readonly CodeBlock[], chinese: readonly CodeBlock[]): string[] {
  if (english.length !== chinese.length) return countFaults('code blocks', english.length, chinese.length);
  return english.flatMap((block, index) => {
    const twin = chinese[index];
    const name = `code block ${index + 1}`;
    if (block.language !== twin?.language) return [`${name}: should be \`\`\`${block.language}`];
    if (block.lines.length !== twin.lines.length)
      return countFaults(`${name}: lines`, block.lines.length, twin.lines.length);
    return block.lines.flatMap((line, number) => {
      const twinLine = twin.lines[number] ?? '';
      return isSameLine(line, twinLine, block.language)
        ? []
        : [
            `${name}, line ${number + 1}: should be "${line}", with at most its comment in Chinese, is "${twinLine}"`,
          ];
    });
  });
}

/** What stands before a comment on its line, by the language of the block. A drawing has its remarks right of a bar. */
const COMMENTS: Readonly<Record<string, RegExp>> = {
  sh: /^(.*?(?:^|\s)# )(.+)$/,
  nginx: /^(.*?(?:^|\s)# )(.+)$/,
  ini: /^(.*?(?:^|\s)# )(.+)$/,
  sql: /^(.*?(?:^|\s)-- )(.+)$/,
  php: /^(\s*(?:\/\*)?\*(?:\/$| )|.*?(?:^|\s)\/\/ )(.+)$/,
  ts: /^(\s*(?:\/\*)?\*(?:\/$| )|.*?(?:^|\s)\/\/ )(.+)$/,
  '': /^(.*\| {3})(\S.*)$/,
};

function isSameLine(english: string, chinese: string, language: string): boolean {
  if (english === chinese) return true;
  const comment = COMMENTS[language];
  const [one, other] = [comment?.exec(english), comment?.exec(chinese)];
  if (!one || !other || one[1] !== other[1]) return false;
  const [behind, behindTwin] = [one, other].map(([, , text = '']) => text.split('*/').slice(1));
  return HAN.test(other[2] ?? '') && isDeepStrictEqual(behind, behindTwin);
}

interface Links {
  readonly english: readonly Section[];
  readonly chinese: readonly Section[];
  readonly twins: Twins;
}

function linkFaults(english: readonly string[], chinese: readonly string[], links: Links): string[] {
  const faults: string[] = [];
  const wanted = english.flatMap((target) => {
    const twin = twinTarget(target, links);
    if (twin === undefined) faults.push(`the English page links to ${target}, where no heading is`);
    return twin ?? [];
  });
  const [places, found] = [countsOf(wanted), countsOf(chinese)];
  for (const target of new Set([...wanted, ...chinese])) {
    const missing = (places.get(target) ?? 0) - (found.get(target) ?? 0);
    if (missing > 0) faults.push(`the link to ${target} is missing (${missing})`);
    if (missing < 0)
      faults.push(`the link to ${target} has no counterpart in the English page (${-missing})`);
  }
  return faults;
}

/** Where the link leads in Chinese: to the heading at the same place of the twin. */
function twinTarget(target: string, { english, chinese, twins }: Links): string | undefined {
  const [file = '', anchor] = target.split('#');
  if (/^(\.\.\/)?README\.md$/.test(file)) return target.replace('.md', '.zh-CN.md');
  const page = twins.pages.get(file);
  if (file !== '' && !page) return target;
  const name = file === '' ? '' : twinName(file);
  if (anchor === undefined) return name;
  const from = page ? sectionsOf(page.english) : english;
  const to = page ? sectionsOf(page.chinese) : chinese;
  const index = from.findIndex((section) => section.anchor === anchor);
  return index === -1 ? undefined : `${name}#${to[index]?.anchor ?? ''}`;
}

function languageFaults(english: Section, chinese: Section): string[] {
  const prose = [english.heading, ...english.texts, ...english.tables.flat()].map(wordsOf).join(' ');
  const own = [...chinese.texts, ...chinese.tables.flat()].map(wordsOf);
  const faults: string[] = [];
  if (
    countOfWords(prose) > 2 &&
    !own.some((text) => HAN.test(text)) &&
    (english.texts.length > 0 || english.tables.length > 0)
  )
    faults.push('has no Chinese text');
  for (const text of [chinese.heading, ...chinese.texts]) {
    if (!HAN.test(wordsOf(text)) && countOfWords(wordsOf(text)) > 2) faults.push(`is in English: "${text}"`);
  }
  for (const row of chinese.tables.flat()) {
    if (!HAN.test(wordsOf(row)) && countOfWords(wordsOf(row)) > 1) faults.push(`is in English: "${row}"`);
  }
  for (const text of own) {
    const run = ENGLISH_RUN.exec(text)?.[0];
    if (run !== undefined && HAN.test(text)) faults.push(`is in English in part: "${run}…"`);
    for (const bold of brokenBoldOf(text))
      faults.push(`is not shown in bold for want of a space beside it: "${bold}"`);
  }
  return faults;
}

/**
 * Stars between a punctuation mark and a letter neither open nor close (https://spec.commonmark.org/0.31.2/#left-flanking-delimiter-run).
 * English has a blank there, Chinese may have none.
 */
function brokenBoldOf(words: string): string[] {
  const parts = words.replaceAll('\0', '`').split('**');
  return parts.filter((inner, index) => {
    if (index % 2 === 0 || index === parts.length - 1) return false;
    const opens = !/[\p{L}\p{N}]$/u.test(parts[index - 1] ?? '') || !/^[\p{P}\p{S}]/u.test(inner);
    const closes = !/[\p{P}\p{S}]$/u.test(inner) || !/^[\p{L}\p{N}]/u.test(parts[index + 1] ?? '');
    return !opens || !closes;
  });
}

function countOfWords(text: string): number {
  return text.match(/\b[a-z]{2,}\b/g)?.length ?? 0;
}
