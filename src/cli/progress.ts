/** Steps of long work: a line each for a person, an event each under --json. */
import type { CliContext, GivenOptions } from './action.js';

export type Tell = (text: string) => void;

export function progressOf({ terminal }: CliContext, options: GivenOptions): Tell {
  return options.flag('json')
    ? (text) => terminal.printJson({ event: { text } })
    : (text) => terminal.print(text);
}
