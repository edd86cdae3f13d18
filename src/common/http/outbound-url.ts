import { BlockList, isIP } from 'node:net';

/** What stands in somebody's own network, or in none: loopback, private, link-local, shared, reserved, for examples, multicast. */
const NOT_PUBLIC_V4 = blockList('ipv4', [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
]);

/** All that is not global unicast, and what carries an IPv4 address or has a special purpose. Of its own: a list of both would mix them up. */
const NOT_PUBLIC_V6 = blockList('ipv6', [
  ['::', 3],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['4000::', 2],
  ['8000::', 1],
]);

function blockList(family: 'ipv4' | 'ipv6', subnets: readonly [net: string, prefix: number][]): BlockList {
  const list = new BlockList();
  for (const [net, prefix] of subnets) list.addSubnet(net, prefix, family);
  return list;
}

/** Whether an address (not a name) is one that the public internet does not route. */
export function isPrivateAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return NOT_PUBLIC_V4.check(address, 'ipv4');
  return family === 6 && NOT_PUBLIC_V6.check(address, 'ipv6');
}

/**
 * Why a URL that a caller gives is not one that we fetch, or null. It is an https URL of a public host; `allowedHosts`
 * (`host` or `host:port`, in lower case) are let in by http too. A name is not looked up here: whoever fetches checks
 * the addresses that it stands for with `isPrivateAddress`.
 */
export function outboundUrlProblem(text: string, allowedHosts: readonly string[]): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !['http:', 'https:'].includes(url.protocol)) return 'must be an absolute https URL';
  if (url.username !== '' || url.password !== '') return 'must hold no credentials';
  if (url.hash !== '') return 'must have no fragment';
  if (isAllowedHost(url, allowedHosts)) return null;
  if (url.protocol !== 'https:') return 'must be an absolute https URL';
  const host = url.hostname.replace(/^\[|\]$|\.$/g, '');
  const local = host === 'localhost' || host.endsWith('.localhost');
  return local || isPrivateAddress(host) ? 'must not name a private host' : null;
}

/** Whether a URL is on a host that is excepted: on any port, or on this one. */
export function isAllowedHost({ protocol, hostname, port }: URL, allowedHosts: readonly string[]): boolean {
  // A URL keeps the port of its scheme to itself.
  const actual = port || (protocol === 'https:' ? '443' : '80');
  return allowedHosts.includes(hostname) || allowedHosts.includes(`${hostname}:${actual}`);
}
