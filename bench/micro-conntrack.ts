/*
 * What conntrack and NAT cost alone: packets through PRE_ROUTING, FORWARD and POST_ROUTING of a namespace with conntrack and one SNAT rule.
 *     node scripts/run.mjs bench/micro-conntrack.ts
 */
import type { sk_buff } from '../src/net/core/skbuff.ts';
import { consume_skb } from '../src/net/core/skbuff.ts';
import { ip_pton } from '../src/net/ipv4/ip.ts';
import { nf_hook, type nf_hook_state } from '../src/net/netfilter/core.ts';
import { HOOK2MANIP, nf_nat_range2, nf_nat_setup_info } from '../src/net/netfilter/nf_nat_core.ts';
import { nf_nat_ipv4_register_fn } from '../src/net/netfilter/nf_nat_proto.ts';
import { pass, type Rig, rig, skb_of, tcp4, udp4 } from '../test/net/netfilter/conntrack/rig.ts';

const range = new nf_nat_range2();
range.flags = 1;
range.min_addr = ip_pton('192.0.2.1');
range.max_addr = ip_pton('192.0.2.1');

function snat(_priv: unknown, skb: sk_buff, state: nf_hook_state): number {
	return state.hook === 4 ? nf_nat_setup_info(skb._nfct!, range, HOOK2MANIP(state.hook)) : 1;
}

function okfn(): number {
	return 0;
}

function router(nat: boolean): Rig {
	const r = rig();
	r.machine.ct.nf_conntrack_max = 4e6;
	r.net.ct.sysctl_checksum = 0;
	for (const [hooknum, priority] of [
		[0, -100],
		[1, 100],
		[3, -100],
		[4, 100],
	]) {
		if (nat) nf_nat_ipv4_register_fn(r.net, { hook: snat, priv: null, pf: 2, hooknum, priority, name: 'snat' });
	}
	return r;
}

function through(r: Rig, bytes: Uint8Array): void {
	const skb = skb_of(r, bytes);
	if (nf_hook(2, 0, r.net, null, skb, null, null, okfn) !== 1) return;
	if (nf_hook(2, 4, r.net, null, skb, null, null, okfn) !== 1) return;
	consume_skb(skb);
}

function nothing(r: Rig, bytes: Uint8Array): void {
	consume_skb(skb_of(r, bytes));
}

function time(name: string, n: number, fn: (i: number) => void): number {
	for (let i = 0; i < n / 10; i++) fn(i);
	const t = process.hrtime.bigint();
	for (let i = 0; i < n; i++) fn(i);
	const ns = Number(process.hrtime.bigint() - t) / n;
	console.log(`${name}: ${ns.toFixed(0)} ns`);
	return ns;
}

/** The packet of flow `i`, written over `p`: another source and port. */
function flow(p: Uint8Array, i: number): void {
	p[13] = i >>> 24;
	p[14] = i >>> 16;
	p[15] = 1 + ((i >>> 14) & 3);
	p[20] = 4 + ((i >>> 8) & 0x3f);
	p[21] = i;
}

for (const [name, make] of [
	['udp', () => udp4('10.0.0.1', '8.8.8.8', 5000, 53)],
	['tcp', () => tcp4('10.0.0.1', '8.8.8.8', 5000, 80, { flags: 'A', seq: 5, ack: 7, win: 60000 })],
] as const) {
	for (const nat of [false, true]) {
		const r = router(nat);
		const p = make();
		const base = time(`${name}: the skb alone`, 1e6, () => nothing(r, p));
		const ns = time(`${name}${nat ? ' with SNAT' : ''}: one flow`, 1e6, () => through(r, p));
		console.log(`  conntrack's share: ${(ns - base).toFixed(0)} ns`);
		const many = time(`${name}${nat ? ' with SNAT' : ''}: 10,000 flows in turn`, 1e6, (i) => {
			flow(p, i % 10000);
			through(r, p);
		});
		console.log(`  conntrack's share: ${(many - base).toFixed(0)} ns`);
	}
}

for (const [name, nat, make] of [
	['udp', false, () => udp4('10.0.0.1', '8.8.8.8', 5000, 53)],
	['udp with SNAT', true, () => udp4('10.0.0.1', '8.8.8.8', 5000, 53)],
	['tcp with SNAT', true, () => tcp4('10.0.0.1', '8.8.8.8', 5000, 80, { flags: 'S', seq: 5, win: 60000 })],
] as const) {
	globalThis.gc?.();
	globalThis.gc?.();
	const before = process.memoryUsage().heapUsed;
	const r = router(nat);
	const p = make();
	const n = 1e6;
	const t = process.hrtime.bigint();
	for (let i = 0; i < n; i++) {
		// 256 sources, 16 ports each, to 256 hosts: no two sources want the same port towards the same host.
		p[15] = i;
		p[18] = i >>> 12;
		p[20] = 16 + (i & 0xff);
		p[21] = (i >>> 8) & 15;
		through(r, p);
	}
	const created = Number(process.hrtime.bigint() - t) / n;
	globalThis.gc?.();
	const bytes = (process.memoryUsage().heapUsed - before) / r.net.ct.count;
	const e = process.hrtime.bigint();
	const live = r.net.ct.count;
	pass(r, 400);
	const expired = Number(process.hrtime.bigint() - e) / live;
	console.log(
		`${name}: ${live} new flows at ${created.toFixed(0)} ns (${(1e9 / created).toFixed(0)}/s), ${bytes.toFixed(0)} bytes each, ` +
			`expiry ${expired.toFixed(0)} ns each, ${r.net.ct.count} left`,
	);
}
