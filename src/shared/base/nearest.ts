import { distance } from 'fastest-levenshtein';

/** Names that a misspelt word may have meant, nearest first: at most `max`, within a third of the word's length (at least 2 letters). */
export function nearestNames(word: string, names: Iterable<string>, max = 3): string[] {
  const wanted = word.toLowerCase();
  const limit = Math.max(2, Math.ceil(word.length / 3));
  return [...names]
    .map((name) => ({ name, far: distance(wanted, name.toLowerCase()) }))
    .filter(({ name, far }) => far <= limit || (wanted.length >= 3 && name.toLowerCase().includes(wanted)))
    .sort((a, b) => a.far - b.far || a.name.localeCompare(b.name))
    .slice(0, max)
    .map(({ name }) => name);
}

/** ` Did you mean X or Y?`, or nothing when no name is near. */
export function didYouMean(word: string, names: Iterable<string>): string {
  const near = nearestNames(word, names);
  return near.length === 0 ? '' : ` Did you mean ${near.join(' or ')}?`;
}

/** More names than this are counted only: a list must stay readable. */
const LISTED_MAX = 20;

/** ` Did you mean X? Jobs: X, Y, Z.`, or ` There are no jobs.` @param what a plural: `jobs` */
export function nearestOf(word: string, names: Iterable<string>, what: string): string {
  const all = [...names].sort((a, b) => a.localeCompare(b));
  if (all.length === 0) return ` There are no ${what}.`;
  const more = all.length > LISTED_MAX ? ` and ${all.length - LISTED_MAX} more` : '';
  const title = `${what[0]?.toUpperCase()}${what.slice(1)}`;
  return `${didYouMean(word, all)} ${title}: ${all.slice(0, LISTED_MAX).join(', ')}${more}.`;
}
