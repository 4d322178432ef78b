/**
 * Who is at the other end: the peer of the socket, or, when that peer is a trusted proxy, the client it tells of.
 *
 * One header is believed, ClientAddressHeader, and only from a trusted proxy; the others may be the client's own. It is a
 * list (repeated lines are one list) and read from the right, where the nearest proxy writes, up to the first address that is
 * no proxy of ours.
 *
 * The rights of this machine (loopback) are had only by who is connected from it directly. A request that carries any header
 * of a proxy has come through one: when it is from this machine all the same, its address is written so that no list and no
 * budget takes it for loopback. When the proxy does not say whose request it is, or not in addresses, the address is unknown;
 * the proxy's own would give its rights to all its clients.
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

/** Addresses in the header that are looked at; a longer chain is somebody playing. */
const FORWARDED_HOPS_MAX = 32;

/** What proxies add to a request. Their names only: whatever the value, somebody stood between. */
const PROXY_HEADERS = [
  'x-forwarded-for',
  'x-real-ip',
  'forwarded',
  'via',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-server',
  'x-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
];

export interface ProxyTrust {
  readonly proxies: AddressList;
  /** In lower case. */
  readonly header: string;
}

export function clientAddress(req: AddressedRequest, { proxies, header }: ProxyTrust): string {
  const peer = normalAddress(req.socket.remoteAddress ?? '') ?? ADDRESS_UNKNOWN;
  const has = (name: string): boolean => Object.hasOwn(req.headers, name);
  if (!has(header) && !PROXY_HEADERS.some(has)) return peer;
  const told = has(header) ? single(req.headers[header]) : '';
  return throughProxy(proxies.has(peer) ? forwardedAddress(told, proxies) : peer);
}

/** From the right: the first address that is no trusted proxy, else the furthest proxy. */
function forwardedAddress(header: string, proxies: AddressList): string {
  // One more than is allowed shows that there are more.
  const hops = header.split(',', FORWARDED_HOPS_MAX + 1);
  if (hops.length > FORWARDED_HOPS_MAX) return ADDRESS_UNKNOWN;
  let furthest = ADDRESS_UNKNOWN;
  for (const hop of hops.reverse()) {
    const address = normalAddress(withoutPort(hop.trim()));
    if (address === null) return ADDRESS_UNKNOWN;
    furthest = address;
    if (!proxies.has(address)) return address;
  }
  return furthest;
}

/** No address any more when it is this machine's: it is in no list, not loopback, and has a budget of its own. */
function throughProxy(address: string): string {
  return isLoopback(address) ? `via-proxy:${address}` : address;
}

/** The client's address by the configuration of now. */
export function latestClientAddress(
  system: () => { readonly TrustedProxies: readonly string[]; readonly ClientAddressHeader: string },
): (req: AddressedRequest) => string {
  const proxies = latestAddressList(() => system().TrustedProxies);
  return (req) =>
    clientAddress(req, { proxies: proxies(), header: system().ClientAddressHeader.toLowerCase() });
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
