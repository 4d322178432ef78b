/**
 * Reads a command line as people have typed it for years: any number of leading dashes (`-mode=x` is `--mode=x`),
 * `--k=v` and `--k v`, options anywhere. Pure: knows which options are flags and which take a value, not what they mean.
 *
 * `-d=false` means false. A number is a word, even a negative one: `config set MaxLinkNumber -5`. Any other value that starts
 * with a dash must be given with `=`; after `--` all is words.
 */
import { SpushError } from '../shared/base/errors.js';

export interface OptionKinds {
  /** Options that are there or not: `-d`, `-force`. */
  readonly flags: ReadonlySet<string>;
  /** Options with a value: `-mode=NAME`. */
  readonly values: ReadonlySet<string>;
}

export interface GivenOption {
  /** Without dashes; `help` is `h`. */
  readonly name: string;
  /** Of a flag: whether it is on. Null: an unknown option without a value. */
  readonly value: string | boolean | null;
}

export interface ReadArguments {
  readonly words: readonly string[];
  /** In the order given; the last of equal ones counts, or all where an option may be repeated. */
  readonly options: readonly GivenOption[];
}

const ON = new Set(['true', '1', 'yes', 'on']);
const OFF = new Set(['false', '0', 'no', 'off']);

export function readArguments(argv: readonly string[], kinds: OptionKinds): ReadArguments {
  const words: string[] = [];
  const options: GivenOption[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (word === '--') {
      words.push(...argv.slice(at + 1));
      break;
    }
    if (!isOption(word)) {
      words.push(word);
      continue;
    }
    const { name, text } = splitOption(word);
    if (kinds.flags.has(name)) {
      options.push({ name, value: text === null || readFlag(word, text) });
    } else if (!kinds.values.has(name)) {
      options.push({ name, value: text });
    } else if (text !== null) {
      options.push({ name, value: text });
    } else {
      at += 1;
      options.push({ name, value: nextValue(word, argv[at]) });
    }
  }
  return { words, options };
}

/** The shape commander reads: words first, one letter with one dash, everything else `--name=value`. */
export function toCommanderArguments({ words, options }: ReadArguments): string[] {
  return [
    ...words,
    ...options.map(({ name, value }) => {
      if (value === false) return `--no-${name}`;
      const dashed = name.length === 1 ? `-${name}` : `--${name}`;
      return typeof value === 'string' ? `${dashed}=${value}` : dashed;
    }),
  ];
}

/** A lone dash is a word, as elsewhere. */
function isOption(word: string): boolean {
  return /^-+[^-]/.test(word) && !/^-[\d.]+$/.test(word);
}

function splitOption(word: string): { name: string; text: string | null } {
  const bare = word.replace(/^-+/, '');
  const equals = bare.indexOf('=');
  const name = equals < 0 ? bare : bare.slice(0, equals);
  return { name: name === 'help' ? 'h' : name, text: equals < 0 ? null : bare.slice(equals + 1) };
}

function readFlag(word: string, text: string): boolean {
  if (ON.has(text.toLowerCase())) return true;
  if (OFF.has(text.toLowerCase())) return false;
  throw new SpushError('USAGE', `${word}: expected true or false after the equals sign`);
}

function nextValue(word: string, next: string | undefined): string {
  if (next !== undefined && !isOption(next) && next !== '--') return next;
  throw new SpushError('USAGE', `${word} needs a value: ${word}=VALUE`);
}
