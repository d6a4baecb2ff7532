/*
 * cli/matchers.ts: what `import … from 'linnet/matchers'` gives: matchers for jest's expect.extend (vitest: linnet/vitest), packets, captured hosts.
 */
import { FirewallHost } from '../firewall/host.ts';
import { loadSnapshot } from './load.ts';

export { FirewallHost } from '../firewall/host.ts';
export { ask, type Expected, type FirewallMatchers, type MatcherResult, matchers } from '../firewall/matchers.ts';
export { icmp, packet, reply, TestPacket, tcp, udp } from '../firewall/packets.ts';

/** A captured host: a folder, a tar, or loose files, as `linnet trace --host` takes them. */
export async function importHost(...paths: string[]): Promise<FirewallHost> {
	return new FirewallHost(await loadSnapshot(paths));
}
