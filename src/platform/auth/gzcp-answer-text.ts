/**
 * The main site's answer as text, in whichever encoding it came. Nothing but an unencoded answer is asked for, but proxies that
 * compress everything exist; and a message in GBK must not hide the number beside it (the second byte of such a character may be
 * a backslash).
 */
import type { IncomingHttpHeaders } from 'node:http';
import { brotliDecompressSync, constants, inflateRawSync, unzipSync } from 'node:zlib';

export function answerText(
  bytes: Buffer,
  headers: IncomingHttpHeaders,
  bytesMax: number,
): { readonly text: string } | { readonly fault: string } {
  const encodings = (headers['content-encoding'] ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  if (encodings.length > 1) return { fault: 'compressed more than once' };
  const [encoding] = encodings;
  if (encoding === undefined) return { text: decode(bytes, headers['content-type']) };
  try {
    const plain = decompressed(bytes, encoding, bytesMax);
    return plain
      ? { text: decode(plain, headers['content-type']) }
      : { fault: 'compressed in an unknown way' };
  } catch {
    return { fault: `not ${encoding}, or more than ${bytesMax} bytes` };
  }
}

/** Input and output are so small that it need not leave the loop. Null: unknown. Throws when it is not what it says. */
function decompressed(bytes: Buffer, encoding: string, maxOutputLength: number): Buffer | null {
  // Some servers leave out the end.
  const options = { maxOutputLength, finishFlush: constants.Z_SYNC_FLUSH };
  switch (encoding) {
    case 'gzip':
    case 'x-gzip':
      return unzipSync(bytes, options);
    case 'deflate':
      // By the book with the head of zlib, by custom also without.
      return ((bytes[0] ?? 0) & 0x0f) === 8 ? unzipSync(bytes, options) : inflateRawSync(bytes, options);
    case 'br':
      return brotliDecompressSync(bytes, { maxOutputLength });
    default:
      return null;
  }
}

function decode(bytes: Buffer, contentType = ''): string {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType)?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    // A name that nobody knows: what counts in the answer is ASCII.
    return new TextDecoder().decode(bytes);
  }
}
