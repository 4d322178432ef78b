import { appendFileSync } from 'node:fs';

/** Of `run.mjs`, which runs files that failed once more: what is noted here fails the whole run all the same. */
const answers = process.env['SPUSH_TEST_ANSWERS'];

export function noteNoSecondTry(reason: string): void {
  if (answers !== undefined) appendFileSync(`${answers}.final`, `${reason}\n`);
}
