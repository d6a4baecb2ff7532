/*
 * net/netfilter/nf_nat_redirect.ts: REDIRECT: to this machine itself.   Linux: net/netfilter/nf_nat_redirect.c
 */

import { IFA_F_SECONDARY } from '../../uapi/linux/if_addr.ts';
import { NF_NAT_RANGE_MAP_IPS } from '../../uapi/linux/netfilter/nf_nat.ts';
import { NF_DROP, NF_INET_LOCAL_OUT } from '../../uapi/linux/netfilter.ts';
import type { sk_buff } from '../core/skbuff.ts';
import { INADDR_LOOPBACK } from '../ipv4/ip.ts';
import { NF_NAT_MANIP_DST, nf_nat_range2, nf_nat_setup_info } from './nf_nat_core.ts';

/** Sends the packet's flow to the first address of the device that it came in by; what is sent from here, to 127.0.0.1. Return: a verdict. */
export function nf_nat_redirect_ipv4(skb: sk_buff, range: nf_nat_range2, hooknum: number): number {
	const ct = skb._nfct;
	if (ct === null) return NF_DROP;
	let newdst = 0;
	if (hooknum === NF_INET_LOCAL_OUT) {
		newdst = INADDR_LOOPBACK;
	} else {
		const in_dev = skb.dev!.ip_ptr;
		if (in_dev !== null) {
			for (let ifa = in_dev.ifa_list; ifa !== null; ifa = ifa.ifa_next) {
				if ((ifa.ifa_flags & IFA_F_SECONDARY) === 0) {
					newdst = ifa.ifa_local;
					break;
				}
			}
		}
		if (newdst === 0) return NF_DROP;
	}
	const r = new nf_nat_range2();
	r.flags = range.flags | NF_NAT_RANGE_MAP_IPS;
	r.min_addr = newdst;
	r.max_addr = newdst;
	r.min_proto = range.min_proto;
	r.max_proto = range.max_proto;
	return nf_nat_setup_info(ct, r, NF_NAT_MANIP_DST);
}
