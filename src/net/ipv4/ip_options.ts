/*
 * net/ipv4/ip_options.ts: options of the IPv4 header.              Linux: net/ipv4/ip_options.c
 *
 * Walk: received: ip_options_compile checks them and puts our address and time where they ask -> ip_forward_options adds the address we
 *       leave by -> ip_options_fragment drops what only the first fragment bears. Sent: ip_options_get (setsockopt) or
 *       __ip_options_echo (an answer) -> ip_options_build writes them behind the header.
 * RFC 791 3.1 (options), RFC 781 (timestamp), RFC 1122 3.2.1.8, RFC 1812 5.2.4.1 and 5.3.13, RFC 2113 (router alert).
 * CIPSO is recognised, not enforced.
 */

import { get_unaligned_be32, put_unaligned_be32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { ICMP_PARAMETERPROB } from '../../uapi/linux/icmp.ts';
import { PACKET_HOST } from '../../uapi/linux/if_packet.ts';
import {
	IPOPT_CIPSO,
	IPOPT_COPY,
	IPOPT_END,
	IPOPT_LSRR,
	IPOPT_NOOP,
	IPOPT_RA,
	IPOPT_RR,
	IPOPT_SSRR,
	IPOPT_TIMESTAMP,
	IPOPT_TS_PRESPEC,
	IPOPT_TS_TSANDADDR,
	IPOPT_TS_TSONLY,
	MAX_IPOPTLEN,
} from '../../uapi/linux/ip.ts';
import { RTN_LOCAL, RTN_UNICAST } from '../../uapi/linux/rtnetlink.ts';
import type { net } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { fib_compute_spec_dst, inet_addr_type } from './fib_frontend.ts';
import { icmp_send } from './icmp.ts';
import { ip_hdr_saddr, ip_hdr_set_daddr, ip_hdr_tos, ip_hdrlen, ip_send_check } from './ip.ts';
import { ip_route_input, ip_rt_get_source, type rtable } from './route.ts';

const IPHDR = 20;

/** Compiled options. `srr`, `rr`, `ts`, `router_alert`, `cipso` are offsets from the start of the IP header, 0 when absent. */
export class ip_options {
	/** First hop of a source route. */
	faddr = 0;
	nexthop = 0;
	/** Bytes, a multiple of 4. */
	optlen = 0;
	srr = 0;
	rr = 0;
	ts = 0;
	is_strictroute = false;
	/** The packet's destination was an intermediate stop at us. */
	srr_is_hit = false;
	/** The header was changed: its checksum must be made anew. */
	is_changed = false;
	rr_needaddr = false;
	ts_needtime = false;
	ts_needaddr = false;
	router_alert = 0;
	cipso = 0;
	/** The options' bytes; for a received packet they stand in its header instead. */
	__data: Uint8Array | null = null;
}

/** Where ip_options_compile found the error: offset from the start of the IP header. */
export class ip_options_info {
	pp = 0;
}

/** Milliseconds since midnight UT. */
export function inet_current_timestamp(n: net): number {
	const c = n.machine.clock;
	return Math.floor((c.epoch % 86400) * 1000 + c.now / 1e6) % 86400000;
}

/** Appends our address where the option asks for it, and remembers whether forwarding has to do it again. */
function put_spec_dst(skb: sk_buff, at: number): void {
	put_unaligned_be32(skb.head, at, fib_compute_spec_dst(skb));
}

/**
 * Checks options and fills in `opt`; for a received packet also addresses and times. `skb` null: `opt.__data` of a socket.
 * Return: 0, or -EINVAL with the place in `info`.
 */
export function __ip_options_compile(n: net, opt: ip_options, skb: sk_buff | null, info: ip_options_info): number {
	const b = skb !== null ? skb.head : opt.__data!;
	// Start of the IP header, as if one stood before the bare options.
	const iph = skb !== null ? skb.network_header : -IPHDR;
	const routed = skb !== null && skb._skb_refdst !== null;
	let p = iph + IPHDR;
	let l = opt.optlen;
	let bad = -1;
	let changed = false;
	scan: while (l > 0) {
		const kind = b[p];
		if (kind === IPOPT_END) {
			for (p++, l--; l > 0; p++, l--) {
				if (b[p] !== IPOPT_END) {
					b[p] = IPOPT_END;
					changed = true;
				}
			}
			break;
		}
		if (kind === IPOPT_NOOP) {
			l--;
			p++;
			continue;
		}
		if (l < 2) {
			bad = p;
			break;
		}
		const len = b[p + 1];
		if (len < 2 || len > l) {
			bad = p;
			break;
		}
		switch (kind) {
			case IPOPT_SSRR:
			case IPOPT_LSRR:
				if (len < 3) {
					bad = p + 1;
					break scan;
				}
				if (b[p + 2] < 4) {
					bad = p + 2;
					break scan;
				}
				// RFC 1812 5.2.4.1: more than one source route is an error.
				if (opt.srr !== 0) {
					bad = p;
					break scan;
				}
				if (skb === null) {
					if (b[p + 2] !== 4 || len < 7 || ((len - 3) & 3) !== 0) {
						bad = p + 1;
						break scan;
					}
					opt.faddr = get_unaligned_be32(b, p + 3);
					if (len > 7) b.copyWithin(p + 3, p + 7, p + len);
				}
				opt.is_strictroute = kind === IPOPT_SSRR;
				opt.srr = p - iph;
				break;
			case IPOPT_RR:
				if (opt.rr !== 0) {
					bad = p;
					break scan;
				}
				if (len < 3) {
					bad = p + 1;
					break scan;
				}
				if (b[p + 2] < 4) {
					bad = p + 2;
					break scan;
				}
				if (b[p + 2] <= len) {
					if (b[p + 2] + 3 > len) {
						bad = p + 2;
						break scan;
					}
					if (routed) {
						put_spec_dst(skb!, p + b[p + 2] - 1);
						changed = true;
					}
					b[p + 2] += 4;
					opt.rr_needaddr = true;
				}
				opt.rr = p - iph;
				break;
			case IPOPT_TIMESTAMP: {
				if (opt.ts !== 0) {
					bad = p;
					break scan;
				}
				if (len < 4) {
					bad = p + 1;
					break scan;
				}
				if (b[p + 2] < 5) {
					bad = p + 2;
					break scan;
				}
				if (b[p + 2] <= len) {
					const ptr = b[p + 2];
					let time = -1;
					if (ptr + 3 > len) {
						bad = p + 2;
						break scan;
					}
					switch (b[p + 3] & 15) {
						case IPOPT_TS_TSONLY:
							time = p + ptr - 1;
							opt.ts_needtime = true;
							b[p + 2] += 4;
							break;
						case IPOPT_TS_TSANDADDR:
							if (ptr + 7 > len) {
								bad = p + 2;
								break scan;
							}
							if (routed) put_spec_dst(skb!, p + ptr - 1);
							time = p + ptr + 3;
							opt.ts_needaddr = true;
							opt.ts_needtime = true;
							b[p + 2] += 8;
							break;
						case IPOPT_TS_PRESPEC:
							if (ptr + 7 > len) {
								bad = p + 2;
								break scan;
							}
							// Only a stop that is named adds its time.
							if (inet_addr_type(n, get_unaligned_be32(b, p + ptr - 1)) === RTN_UNICAST) break;
							time = p + ptr + 3;
							opt.ts_needtime = true;
							b[p + 2] += 8;
							break;
						default:
							if (skb !== null) break;
							bad = p + 3;
							break scan;
					}
					if (skb !== null && time >= 0) {
						put_unaligned_be32(b, time, inet_current_timestamp(n));
						changed = true;
					}
				} else if ((b[p + 3] & 15) !== IPOPT_TS_PRESPEC) {
					// No room: the overflow counter in the flags' high half goes up, and must not wrap. Hosts that were named do not count.
					const overflow = b[p + 3] >> 4;
					if (overflow === 15) {
						bad = p + 3;
						break scan;
					}
					if (skb !== null) {
						b[p + 3] = (b[p + 3] & 15) | ((overflow + 1) << 4);
						changed = true;
					}
				}
				opt.ts = p - iph;
				break;
			}
			case IPOPT_RA:
				if (len < 4) {
					bad = p + 1;
					break scan;
				}
				if (b[p + 2] === 0 && b[p + 3] === 0) opt.router_alert = p - iph;
				break;
			case IPOPT_CIPSO:
				if (opt.cipso !== 0) {
					bad = p;
					break scan;
				}
				opt.cipso = p - iph;
				break;
			default:
				break;
		}
		l -= len;
		p += len;
	}
	if (changed) opt.is_changed = true;
	if (bad < 0) return 0;
	info.pp = bad - iph;
	return -EINVAL;
}

/** __ip_options_compile; a received packet with bad options is answered with Parameter Problem. Return: 0 or -EINVAL. */
export function ip_options_compile(n: net, opt: ip_options, skb: sk_buff | null): number {
	const info = new ip_options_info();
	const err = __ip_options_compile(n, opt, skb, info);
	// RFC 1122 3.2.2.5: the pointer names the octet at fault.
	if (err < 0 && skb !== null) icmp_send(skb, ICMP_PARAMETERPROB, 0, (info.pp << 24) >>> 0);
	return err;
}

/** Options from setsockopt(IP_OPTIONS) or a control message. Return: them, or -errno. */
export function ip_options_get(n: net, data: Uint8Array): ip_options | number {
	if (data.length > MAX_IPOPTLEN) return -EINVAL;
	const opt = new ip_options();
	opt.__data = new Uint8Array(MAX_IPOPTLEN);
	opt.__data.set(data);
	opt.optlen = (data.length + 3) & ~3;
	if (opt.optlen > 0) {
		const err = ip_options_compile(n, opt, null);
		if (err < 0) return err;
	}
	return opt;
}

/** Undoes what compiling did to a socket's options, so that getsockopt shows them as they were set. */
export function ip_options_undo(opt: ip_options): void {
	const d = opt.__data!;
	if (opt.srr !== 0) {
		const p = opt.srr - IPHDR;
		d.copyWithin(p + 7, p + 3, p + d[p + 1] - 4);
		put_unaligned_be32(d, p + 3, opt.faddr);
	}
	if (opt.rr_needaddr) {
		const p = opt.rr - IPHDR;
		d[p + 2] -= 4;
		d.fill(0, p + d[p + 2] - 1, p + d[p + 2] + 3);
	}
	if (opt.ts !== 0) {
		const p = opt.ts - IPHDR;
		if (opt.ts_needtime) {
			d[p + 2] -= 4;
			d.fill(0, p + d[p + 2] - 1, p + d[p + 2] + 3);
			if ((d[p + 3] & 15) === IPOPT_TS_PRESPEC) d[p + 2] -= 4;
		}
		if (opt.ts_needaddr) {
			d[p + 2] -= 4;
			d.fill(0, p + d[p + 2] - 1, p + d[p + 2] + 3);
		}
	}
}

/** Writes options behind the header of an outgoing packet. The room is there; `rt` names our address. */
export function ip_options_build(skb: sk_buff, opt: ip_options, daddr: number, rt: rtable): void {
	const b = skb.head;
	const iph = skb.network_header;
	const mine = new ip_options();
	Object.assign(mine, opt);
	mine.__data = null;
	skb.ipcb.opt = mine;
	b.set(opt.__data!.subarray(0, opt.optlen), iph + IPHDR);
	if (opt.srr !== 0) put_unaligned_be32(b, iph + opt.srr + b[iph + opt.srr + 1] - 4, daddr);
	if (opt.rr_needaddr) put_unaligned_be32(b, iph + opt.rr + b[iph + opt.rr + 2] - 5, ip_rt_get_source(skb, rt));
	if (opt.ts_needaddr) put_unaligned_be32(b, iph + opt.ts + b[iph + opt.ts + 2] - 9, ip_rt_get_source(skb, rt));
	if (opt.ts_needtime)
		put_unaligned_be32(b, iph + opt.ts + b[iph + opt.ts + 2] - 5, inet_current_timestamp(skb.machine.init_net));
}

/** The options that an answer to `skb` (whose options are `sopt`) bears, into `dopt`. Return: 0 or -EINVAL. */
export function __ip_options_echo(n: net, dopt: ip_options, skb: sk_buff, sopt: ip_options): number {
	const b = skb.head;
	const s = skb.network_header;
	const d = new Uint8Array(MAX_IPOPTLEN + 4);
	dopt.__data = d;
	let at = 0;
	if (sopt.rr !== 0) {
		const from = s + sopt.rr;
		const len = b[from + 1];
		const soffset = b[from + 2];
		dopt.rr = at + IPHDR;
		d.set(b.subarray(from, from + len), at);
		if (sopt.rr_needaddr && soffset <= len) {
			if (soffset + 3 > len) return -EINVAL;
			d[at + 2] = soffset + 4;
			dopt.rr_needaddr = true;
		}
		at += len;
	}
	if (sopt.ts !== 0) {
		const from = s + sopt.ts;
		const len = b[from + 1];
		let soffset = b[from + 2];
		dopt.ts = at + IPHDR;
		d.set(b.subarray(from, from + len), at);
		if (soffset <= len) {
			if (sopt.ts_needaddr) {
				if (soffset + 3 > len) return -EINVAL;
				dopt.ts_needaddr = true;
				soffset += 4;
			}
			if (sopt.ts_needtime) {
				if (soffset + 3 > len) return -EINVAL;
				if ((d[at + 3] & 15) !== IPOPT_TS_PRESPEC) {
					dopt.ts_needtime = true;
					soffset += 4;
				} else if (soffset + 7 <= len && inet_addr_type(n, get_unaligned_be32(d, at + soffset - 1)) !== RTN_UNICAST) {
					dopt.ts_needtime = true;
					soffset += 8;
				}
			}
			d[at + 2] = soffset;
		}
		at += len;
	}
	if (sopt.srr !== 0) {
		const from = s + sopt.srr;
		const len = b[from + 1];
		let soffset = b[from + 2];
		let doffset = 0;
		// RFC 1122 3.2.2.6, 3.2.1.8 (c): the recorded route, backwards.
		if (soffset > len) soffset = len + 1;
		soffset -= 4;
		if (soffset > 3) {
			const faddr = get_unaligned_be32(b, from + soffset - 1);
			doffset = 4;
			for (soffset -= 4; soffset > 3; soffset -= 4, doffset += 4)
				put_unaligned_be32(d, at + doffset - 1, get_unaligned_be32(b, from + soffset - 1));
			// A route that wrongly names the sender as its first stop is not repeated back.
			if (ip_hdr_saddr(skb) === get_unaligned_be32(b, from + soffset + 3)) doffset -= 4;
			dopt.faddr = faddr;
		}
		if (doffset > 3) {
			d[at] = b[from];
			d[at + 1] = doffset + 3;
			d[at + 2] = 4;
			dopt.srr = at + IPHDR;
			dopt.is_strictroute = sopt.is_strictroute;
			at += doffset + 3;
		} else {
			dopt.faddr = 0;
		}
	}
	if (sopt.cipso !== 0) {
		const from = s + sopt.cipso;
		const len = b[from + 1];
		dopt.cipso = at + IPHDR;
		d.set(b.subarray(from, from + len), at);
		at += len;
	}
	while ((at & 3) !== 0) d[at++] = IPOPT_END;
	dopt.optlen = at;
	return 0;
}

/** Options for an answer to `skb`: null when it has none. Return: 0 or -EINVAL with nothing to be answered. */
export function ip_options_echo(n: net, dopt: ip_options, skb: sk_buff): number {
	const sopt = skb.ipcb.opt;
	return sopt === null || sopt.optlen === 0 ? 0 : __ip_options_echo(n, dopt, skb, sopt);
}

/** In a header copied to later fragments: blanks the options that only the first one bears (RFC 791 3.1, copied flag). */
export function ip_options_fragment(skb: sk_buff): void {
	const opt = skb.ipcb.opt;
	if (opt === null) return;
	const b = skb.head;
	let p = skb.network_header + IPHDR;
	let l = opt.optlen;
	while (l > 0) {
		if (b[p] === IPOPT_END) break;
		if (b[p] === IPOPT_NOOP) {
			l--;
			p++;
			continue;
		}
		const len = b[p + 1];
		if (len < 2 || len > l) break;
		if ((b[p] & IPOPT_COPY) === 0) b.fill(IPOPT_NOOP, p, p + len);
		l -= len;
		p += len;
	}
	opt.ts = 0;
	opt.rr = 0;
	opt.rr_needaddr = false;
	opt.ts_needaddr = false;
	opt.ts_needtime = false;
}

/**
 * A packet is about to leave again: puts the address it leaves by, and the next stop of a source route. The header is private.
 * A timestamp's address stays the one of the way in, as Linux has it, unless the packet is source-routed.
 */
export function ip_forward_options(skb: sk_buff): void {
	const opt = skb.ipcb.opt;
	if (opt === null) return;
	const b = skb.head;
	const iph = skb.network_header;
	const rt = skb._skb_refdst as rtable;
	if (opt.rr_needaddr) {
		const p = iph + opt.rr;
		put_unaligned_be32(b, p + b[p + 2] - 5, ip_rt_get_source(skb, rt));
		opt.is_changed = true;
	}
	if (opt.srr_is_hit) {
		const p = iph + opt.srr;
		const len = b[p + 1];
		let at = b[p + 2];
		while (at <= len && !(at + 3 <= len && get_unaligned_be32(b, p + at - 1) === opt.nexthop)) at += 4;
		if (at + 3 <= len) {
			opt.is_changed = true;
			ip_hdr_set_daddr(skb, opt.nexthop);
			put_unaligned_be32(b, p + at - 1, ip_rt_get_source(skb, rt));
			b[p + 2] = at + 4;
		}
		if (opt.ts_needaddr) {
			const t = iph + opt.ts;
			put_unaligned_be32(b, t + b[t + 2] - 9, ip_rt_get_source(skb, rt));
			opt.is_changed = true;
		}
	}
	if (opt.is_changed) {
		opt.is_changed = false;
		ip_send_check(skb);
	}
}

/** Follows a source route one step: routes the packet to its next stop. Return: 0, or -EINVAL to drop it. */
export function ip_options_rcv_srr(skb: sk_buff, dev: net_device): number {
	const opt = skb.ipcb.opt!;
	const b = skb.head;
	const p = skb.network_header + opt.srr;
	const rt = skb._skb_refdst as rtable;
	if (skb.pkt_type !== PACKET_HOST) return -EINVAL;
	if (rt.rt_type === RTN_UNICAST) {
		if (!opt.is_strictroute) return 0;
		icmp_send(skb, ICMP_PARAMETERPROB, 0, (16 << 24) >>> 0);
		return -EINVAL;
	}
	if (rt.rt_type !== RTN_LOCAL) return -EINVAL;
	const len = b[p + 1];
	let at = b[p + 2];
	for (; at <= len; at += 4) {
		if (at + 3 > len) {
			icmp_send(skb, ICMP_PARAMETERPROB, 0, ((opt.srr + 2) << 24) >>> 0);
			return -EINVAL;
		}
		const nexthop = get_unaligned_be32(b, p + at - 1);
		skb._skb_refdst = null;
		const err = ip_route_input(skb, nexthop, ip_hdr_saddr(skb), ip_hdr_tos(skb) & 0xfc, dev);
		const rt2 = skb._skb_refdst as rtable | null;
		if (err !== 0 || rt2 === null || (rt2.rt_type !== RTN_UNICAST && rt2.rt_type !== RTN_LOCAL)) {
			skb._skb_refdst = rt;
			return -EINVAL;
		}
		if (rt2.rt_type !== RTN_LOCAL) {
			opt.nexthop = nexthop;
			break;
		}
		// The next stop is us again: step over it.
		ip_hdr_set_daddr(skb, nexthop);
		opt.is_changed = true;
	}
	if (at <= len) {
		opt.srr_is_hit = true;
		opt.is_changed = true;
	}
	return 0;
}

/** Length of the options in the received header. */
export function ip_options_len(skb: sk_buff): number {
	return ip_hdrlen(skb) - IPHDR;
}
