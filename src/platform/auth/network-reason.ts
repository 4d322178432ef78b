/**
 * Why the main site could not be asked, in words and with the error's code. Texts of errors are not used: they may hold the
 * address with its query, in which the key stands.
 */

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection is refused',
  ECONNRESET: 'the connection was broken',
  EPIPE: 'the connection was broken',
  ETIMEDOUT: 'the connection timed out',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'its network cannot be reached',
  ENOTFOUND: 'the name of the host is not known to DNS',
  EAI_AGAIN: 'DNS does not answer',
  CERT_HAS_EXPIRED: 'TLS: the certificate has expired',
  CERT_NOT_YET_VALID: 'TLS: the certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'TLS: the certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'TLS: an issuer of the certificate is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'TLS: the issuer of the certificate is not known',
  UNABLE_TO_GET_ISSUER_CERT: 'TLS: the issuer of the certificate is not known',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'TLS: the issuer of the certificate is not known',
  ERR_TLS_CERT_ALTNAME_INVALID: 'TLS: the certificate is for another name',
  EPROTO: 'TLS: the handshake failed',
  NO_ANSWER: 'the connection was closed without an answer',
};
const OF_TLS = /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_)/;
const OF_HTTP = /^HPE_/;

export function networkReason(error: unknown): string {
  const code = codeOf(error);
  if (code === null) return `network (${error instanceof Error ? error.name : typeof error})`;
  const words =
    WORDS[code] ??
    (OF_TLS.test(code) ? 'TLS failed' : OF_HTTP.test(code) ? 'the answer is not HTTP' : 'network');
  return `${words} (${code})`;
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}
