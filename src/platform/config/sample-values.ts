/**
 * Values that are in the files as shipped, or in the documentation, and cannot be anybody's own: names that no network may
 * have, and secrets that everybody can read. What is left of them makes a server that starts and does nothing.
 */

/** RFC 2606 and RFC 6761: nobody's, for ever. (`.test` and `.localhost` are used in networks of one's own.) */
const NOBODYS_NAME = /(?:^|\.)(?:example|invalid|example\.(?:com|net|org))\.?$/i;
/** The last is what `spush config show` has in the place of a secret. */
const DOTS = new Set(['…', '...', '***']);
/** As the samples have them, for keys that are ours to choose. */
const SHOWN_SECRETS = new Set([...DOTS, 'secret', 'a long random text']);

/** Of a host, `host:port` or an address with a scheme. */
export function isSampleHost(text: string): boolean {
  return NOBODYS_NAME.test(hostIn(text));
}

/** What stands in a sample where the secret belongs. */
export function isLeftOut(secret: string): boolean {
  return DOTS.has(secret.trim());
}

export function isShownSecret(secret: string): boolean {
  return SHOWN_SECRETS.has(secret.trim());
}

function hostIn(text: string): string {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(text)?.[1] ?? text;
  return authority.replace(/^.*@/, '').replace(/:\d+$/, '');
}
