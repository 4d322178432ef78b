/**
 * Reads JSON as strict parsers do (those of PHP, Swift, Rust), and knows nothing of the server's code: half of a surrogate pair,
 * a name twice in an object, and a number that no double holds are faults. Numbers stay as they are written and members in
 * their order, so that two texts which mean the same are equal, and no others.
 */
export type Strict =
  | { readonly text: string }
  | { readonly scalar: string }
  | { readonly list: readonly Strict[] }
  | { readonly members: readonly (readonly [string, Strict])[] };

const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

export function readStrictly(json: string): Strict {
  JSON.parse(json);
  const tokens = json.match(TOKENS) ?? [];
  let at = 0;
  const next = (): string => tokens[at++] ?? '';

  function text(token: string): string {
    const value = JSON.parse(token) as string;
    if (/\p{Surrogate}/u.test(value)) throw new Error(`half of a surrogate pair in ${token.slice(0, 80)}`);
    return value;
  }

  function value(): Strict {
    const token = next();
    if (token === '{') return { members: members() };
    if (token === '[') return { list: list() };
    if (token.startsWith('"')) return { text: text(token) };
    if (/^[-\d]/.test(token) && !Number.isFinite(Number(token))) throw new Error(`${token} is no number`);
    return { scalar: token };
  }

  function list(): Strict[] {
    const found: Strict[] = [];
    if (tokens[at] === ']') at += 1;
    else
      do found.push(value());
      while (next() === ',');
    return found;
  }

  function members(): [string, Strict][] {
    const found: [string, Strict][] = [];
    if (tokens[at] === '}') at += 1;
    else
      do {
        const name = text(next());
        if (found.some(([known]) => known === name))
          throw new Error(`${JSON.stringify(name)} is there twice`);
        at += 1;
        found.push([name, value()]);
      } while (next() === ',');
    return found;
  }

  return value();
}

/** A member's value; undefined when it is not there. */
export function memberOf(value: Strict | undefined, name: string): Strict | undefined {
  if (value === undefined || !('members' in value)) return undefined;
  return value.members.find(([known]) => known === name)?.[1];
}

export function elementsOf(value: Strict | undefined): readonly Strict[] {
  return value !== undefined && 'list' in value ? value.list : [];
}

export function textOf(value: Strict | undefined): string | undefined {
  return value !== undefined && 'text' in value ? value.text : undefined;
}
