/**
 * Who is at the other end: the peer of the socket, or, when that peer is a trusted proxy, the client it tells of.
 *
 * A header is believed only from a trusted proxy. `X-Real-IP` comes first, because a proxy overwrites it; then
 * `X-Forwarded-For` from the right, where the nearest proxy writes, up to the first address that is no proxy of ours.
 * What is no address is ignored: who can send garbage could send any address just as well, so nothing is lost by it.
 */
import { BlockList, isIP, isIPv4, isIPv6, SocketAddress } from 'node:net';

/** What a request shows of its origin; an `http.IncomingMessage` fits. */
export interface AddressedRequest {
  readonly socket: { readonly remoteAddress?: string | undefined };
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface AddressList {
  /** False for what is no address. */
  has(address: string): boolean;
}

/** A socket that is gone, or that never had an address (a Unix socket). It is in no list and is not loopback. */
export const ADDRESS_UNKNOWN = 'unknown';

/** Steps of X-Forwarded-For that are looked at; a longer chain is somebody playing. */
const FORWARDED_HOPS_MAX = 32;

export function clientAddress(req: AddressedRequest, trustedProxies: AddressList): string {
  const peer = normalAddress(req.socket.remoteAddress ?? '') ?? ADDRESS_UNKNOWN;
  if (!trustedProxies.has(peer)) return peer;
  const real = normalAddress(single(req.headers['x-real-ip']));
  if (real !== null && !trustedProxies.has(real)) return real;
  return forwardedAddress(single(req.headers['x-forwarded-for']), trustedProxies) ?? real ?? peer;
}

/** From the right: the first address that is no trusted proxy, else the furthest proxy; null when there is none. */
function forwardedAddress(header: string, trustedProxies: AddressList): string | null {
  let furthest: string | null = null;
  for (const hop of header.split(',').slice(-FORWARDED_HOPS_MAX).reverse()) {
    const address = normalAddress(withoutPort(hop.trim()));
    if (address === null) return furthest;
    furthest = address;
    if (!trustedProxies.has(address)) return address;
  }
  return furthest;
}

/** Single addresses and networks (`10.0.0.0/8`), IPv4-mapped IPv6 included. Throws on what is neither. */
export function addressList(entries: readonly string[]): AddressList {
  const list = new BlockList();
  for (const entry of entries) {
    const [text = '', bits] = entry.split('/');
    const address = normalAddress(text);
    if (address === null) throw new TypeError(`"${entry}" is no address and no network`);
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    if (bits === undefined) list.addAddress(address, family);
    else {
      const mappedBits = family === 'ipv4' && isIPv6(text) ? 96 : 0;
      list.addSubnet(address, Math.max(0, Number(bits) - mappedBits), family);
    }
  }
  return {
    has(address) {
      const normal = normalAddress(address);
      return normal !== null && list.check(normal, isIPv4(normal) ? 'ipv4' : 'ipv6');
    },
  };
}

/** The list of the entries that are configured now; made anew only when they have changed. */
export function latestAddressList(entries: () => readonly string[]): () => AddressList {
  let made = { from: entries(), list: addressList(entries()) };
  return () => {
    const from = entries();
    if (from !== made.from) made = { from, list: addressList(from) };
    return made.list;
  };
}

const loopback = addressList(['127.0.0.0/8', '::1']);

export function isLoopback(address: string): boolean {
  return loopback.has(address);
}

/** Whom a budget belongs to: an IPv4 address, or an IPv6 /64, which is what one customer gets. */
export function addressBudgetKey(address: string): string {
  const normal = normalAddress(address);
  if (normal === null || isIPv4(normal)) return normal ?? address;
  const [head = '', tail = ''] = normal.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === '' ? [] : tail.split(':');
  const zeros = normal.includes('::') ? 8 - front.length - back.length : 0;
  const groups = [...front, ...Array.from({ length: zeros }, () => '0'), ...back];
  return `${groups.slice(0, 4).join(':')}::/64`;
}

/** One spelling per address: no zone, IPv4-mapped IPv6 as IPv4, IPv6 shortened; null for what is no address. */
export function normalAddress(text: string): string | null {
  if (isIPv4(text)) return text;
  const [bare = ''] = text.split('%', 1);
  if (isIP(bare) !== 6) return null;
  const { address } = new SocketAddress({ address: bare, family: 'ipv6' });
  const mapped = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : '';
  return isIPv4(mapped) ? mapped : address;
}

/** Some proxies write `1.2.3.4:5678` and `[::1]:5678`. */
function withoutPort(hop: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(hop);
  if (bracketed) return bracketed[1] ?? '';
  return /^[\d.]+:\d+$/.test(hop) ? hop.slice(0, hop.indexOf(':')) : hop;
}

function single(header: string | string[] | undefined): string {
  return Array.isArray(header) ? header.join(',') : (header ?? '');
}
