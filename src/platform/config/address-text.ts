/**
 * An address as it may be shown: without user and password before an @, and without what follows a question mark, which may
 * be a token. Of text that is no address, because it is faulty, everything is left out that could be one of these.
 */
export function withoutSecrets(address: string): string {
  if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) {
    return address.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, '$1***@').replace(/[?#].*/s, '?***');
  }
  const url = new URL(address);
  const user = url.username === '' && url.password === '' ? '' : '***@';
  const query = url.search === '' ? '' : '?***';
  const fragment = url.hash === '' ? '' : '#***';
  return `${url.protocol}//${user}${url.host}${url.pathname}${query}${fragment}`;
}
