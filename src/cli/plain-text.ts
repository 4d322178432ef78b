/**
 * What others say of themselves, on a terminal: without the characters that move the cursor or turn the line around. A client
 * names its device, another user of the machine names programs.
 */

/** One line. */
export function plainText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?');
}

/** With its lines and tabs as they are. */
export function plainLines(text: string): string {
  return text.replace(/[^\n\t]+/g, plainText);
}
