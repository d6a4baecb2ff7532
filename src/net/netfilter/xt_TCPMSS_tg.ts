/*
 * net/netfilter/xt_TCPMSS_tg.ts: target TCPMSS: lowers the segment size that a SYN announces.      Linux: net/netfilter/xt_TCPMSS.c
 * RFC 9293 3.7.1, RFC 6691. The option is never raised; a SYN without one is given one of at most 536.
 */
import type { Machine } from '../../kernel/machine.ts';
import { KERN_ERR, KERN_INFO, net_ratelimit, printk } from '../../kernel/printk.ts';
import { trace_event } from '../../kernel/trace.ts';
import { get_unaligned_be16, get_unaligned_le16, put_unaligned_be16 } from '../../lib/byteorder.ts';
import { csum_replace2, csum_replace4 } from '../../lib/checksum.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { XT_TCPMSS_CLAMP_PMTU, xt_tcpmss_info } from '../../uapi/linux/netfilter/xt_tcpmss.ts';
import { XT_TCP_INV_FLAGS } from '../../uapi/linux/netfilter/xt_tcpudp.ts';
import {
	NF_DROP,
	NF_INET_FORWARD,
	NF_INET_LOCAL_OUT,
	NF_INET_POST_ROUTING,
	NFPROTO_IPV4,
} from '../../uapi/linux/netfilter.ts';
import { IPPROTO_TCP } from '../../uapi/linux/socket.ts';
import { dst_mtu } from '../core/dst.ts';
import { flowi4 } from '../core/flow.ts';
import type { net } from '../core/net_namespace.ts';
import {
	CHECKSUM_PARTIAL,
	pskb_expand_head,
	type sk_buff,
	skb_ensure_writable,
	skb_put,
	skb_tailroom,
} from '../core/skbuff.ts';
import { ip_hdr_saddr, ip_hdr_set_tot_len, ip_hdr_tot_len } from '../ipv4/ip.ts';
import { ip_route_output_key } from '../ipv4/route.ts';
import { XT_CONTINUE, type xt_action_param, xt_register_target, type xt_tgchk_param } from './x_tables.ts';
import type { tcp_info } from './xt_tcpudp.ts';

const TCPOPT_MSS = 2;
const TCPOLEN_MSS = 4;
/** IPv4 and TCP without options. */
const HEADERS = 40;
const TH_SYN = 0x02;

interface tcpmss_info {
	mss: number;
}

function tcpmss_parse(b: Uint8Array): tcpmss_info {
	return { mss: get_unaligned_le16(b, xt_tcpmss_info.mss) };
}

/** MTU of the way back to the packet's sender. */
function tcpmss_reverse_mtu(net: net, skb: sk_buff): number {
	const fl4 = new flowi4();
	fl4.daddr = ip_hdr_saddr(skb);
	const rt = ip_route_output_key(net, fl4);
	return typeof rt === 'number' ? 0xffffffff : dst_mtu(rt);
}

/** Return: bytes that the packet grew by, or -1 when it is to be dropped. */
function tcpmss_mangle_packet(skb: sk_buff, par: xt_action_param): number {
	const info = par.targinfo as tcpmss_info;
	// The options are in the first fragment.
	if (par.fragoff !== 0) return 0;
	if (skb_ensure_writable(skb, skb.len) < 0) return -1;
	const off = skb.network_header - skb.data + par.thoff;
	const len = skb.len - off;
	if (len < 20) return -1;
	let b = skb.head;
	let t = skb.data + off;
	const tcp_hdrlen = (b[t + 12] >> 4) * 4;
	if (len < tcp_hdrlen || tcp_hdrlen < 20) return -1;

	let newmss = info.mss;
	if (info.mss === XT_TCPMSS_CLAMP_PMTU) {
		const net = par.state.net;
		const min_mtu = Math.min(dst_mtu(skb._skb_refdst!), tcpmss_reverse_mtu(net, skb));
		if (min_mtu <= HEADERS) {
			if (net_ratelimit(net.machine))
				printk(net.machine, KERN_ERR, `xt_TCPMSS: unknown or invalid path-MTU (${min_mtu})`);
			return -1;
		}
		newmss = min_mtu - HEADERS;
	}

	for (let i = 20; i <= tcp_hdrlen - TCPOLEN_MSS; ) {
		const kind = b[t + i];
		if (kind === TCPOPT_MSS && b[t + i + 1] === TCPOLEN_MSS) {
			const oldmss = get_unaligned_be16(b, t + i + 2);
			if (oldmss <= newmss) return 0;
			put_unaligned_be16(b, t + i + 2, newmss);
			if (skb.ip_summed !== CHECKSUM_PARTIAL) {
				// At an odd place in the segment this is the wrong sum; Linux's is the same.
				put_unaligned_be16(b, t + 16, csum_replace2(get_unaligned_be16(b, t + 16), oldmss, newmss));
			}
			if (skb.journey !== null) trace_event(skb, 'note', 'tcpmss_tg4', { mss: newmss, before: oldmss });
			return 0;
		}
		i += kind <= 1 || b[t + i + 1] === 0 ? 1 : b[t + i + 1];
	}

	// With data behind the header there may be no room for more; and the header has its own limit.
	if (len > tcp_hdrlen || tcp_hdrlen >= 60) return 0;
	if (skb_tailroom(skb) < TCPOLEN_MSS && pskb_expand_head(skb, 0, TCPOLEN_MSS) < 0) return -1;
	skb_put(skb, TCPOLEN_MSS);
	b = skb.head;
	t = skb.data + off;
	// RFC 9293 3.7.1: who announces nothing is taken to mean 536.
	newmss = Math.min(newmss, 536);
	b.copyWithin(t + 20 + TCPOLEN_MSS, t + 20, t + len);
	b[t + 20] = TCPOPT_MSS;
	b[t + 21] = TCPOLEN_MSS;
	put_unaligned_be16(b, t + 22, newmss);
	const old_off = get_unaligned_be16(b, t + 12);
	b[t + 12] += 1 << 4;
	let check = get_unaligned_be16(b, t + 16);
	if (skb.ip_summed === CHECKSUM_PARTIAL) {
		// The field holds the pseudo header's sum, of which the length is part.
		check = ~csum_replace2(~check & 0xffff, len, len + TCPOLEN_MSS) & 0xffff;
	} else {
		check = csum_replace2(check, len, len + TCPOLEN_MSS);
		check = csum_replace4(check, 0, ((TCPOPT_MSS << 24) | (TCPOLEN_MSS << 16) | newmss) >>> 0);
		check = csum_replace2(check, old_off, get_unaligned_be16(b, t + 12));
	}
	put_unaligned_be16(b, t + 16, check);
	if (skb.journey !== null) trace_event(skb, 'note', 'tcpmss_tg4', { mss: newmss, before: null });
	return TCPOLEN_MSS;
}

function tcpmss_tg4(skb: sk_buff, par: xt_action_param): number {
	const ret = tcpmss_mangle_packet(skb, par);
	if (ret < 0) return NF_DROP;
	if (ret > 0) {
		const old = ip_hdr_tot_len(skb);
		ip_hdr_set_tot_len(skb, old + ret);
		const n = skb.network_header;
		put_unaligned_be16(skb.head, n + 10, csum_replace2(get_unaligned_be16(skb.head, n + 10), old, old + ret));
	}
	return XT_CONTINUE;
}

const CLAMP_HOOKS = (1 << NF_INET_FORWARD) | (1 << NF_INET_LOCAL_OUT) | (1 << NF_INET_POST_ROUTING);

function tcpmss_tg4_check(par: xt_tgchk_param): number {
	const machine = par.net.machine;
	if ((par.targinfo as tcpmss_info).mss === XT_TCPMSS_CLAMP_PMTU && (par.hook_mask & ~CLAMP_HOOKS) !== 0) {
		printk(machine, KERN_INFO, 'xt_TCPMSS: path-MTU clamping only supported in FORWARD, OUTPUT and POSTROUTING hooks');
		return -EINVAL;
	}
	for (const m of par.ematches) {
		if (m.match.name !== 'tcp') continue;
		const tcp = m.info as tcp_info;
		if ((tcp.flg_cmp & TH_SYN) !== 0 && (tcp.invflags & XT_TCP_INV_FLAGS) === 0) return 0;
	}
	printk(machine, KERN_INFO, 'xt_TCPMSS: Only works on TCP SYN packets');
	return -EINVAL;
}

export function tcpmss_tg_init(machine: Machine): number {
	return xt_register_target(machine, {
		name: 'TCPMSS',
		revision: 0,
		family: NFPROTO_IPV4,
		targetsize: xt_tcpmss_info.sizeof,
		proto: IPPROTO_TCP,
		parse: tcpmss_parse,
		target: tcpmss_tg4,
		checkentry: tcpmss_tg4_check,
	});
}
