/*
 * net/ipv4/netfilter/ipt_REJECT.ts: target REJECT: drops and says so to the sender.       Linux: net/ipv4/netfilter/ipt_REJECT.c
 */
import type { Machine } from '../../../kernel/machine.ts';
import { printk } from '../../../kernel/printk.ts';
import { get_unaligned_le32 } from '../../../lib/byteorder.ts';
import { EINVAL } from '../../../uapi/asm-generic/errno.ts';
import {
	ICMP_HOST_ANO,
	ICMP_HOST_UNREACH,
	ICMP_NET_ANO,
	ICMP_NET_UNREACH,
	ICMP_PKT_FILTERED,
	ICMP_PORT_UNREACH,
	ICMP_PROT_UNREACH,
} from '../../../uapi/linux/icmp.ts';
import {
	NF_DROP,
	NF_INET_FORWARD,
	NF_INET_LOCAL_IN,
	NF_INET_LOCAL_OUT,
	NFPROTO_IPV4,
} from '../../../uapi/linux/netfilter.ts';
import {
	IPT_ICMP_ADMIN_PROHIBITED,
	IPT_ICMP_ECHOREPLY,
	IPT_ICMP_HOST_PROHIBITED,
	IPT_ICMP_HOST_UNREACHABLE,
	IPT_ICMP_NET_PROHIBITED,
	IPT_ICMP_NET_UNREACHABLE,
	IPT_ICMP_PORT_UNREACHABLE,
	IPT_ICMP_PROT_UNREACHABLE,
	IPT_TCP_RESET,
	ipt_reject_info,
} from '../../../uapi/linux/netfilter_ipv4/ipt_REJECT.ts';
import { IPPROTO_TCP } from '../../../uapi/linux/socket.ts';
import type { sk_buff } from '../../core/skbuff.ts';
import { type xt_action_param, xt_register_target, type xt_tgchk_param } from '../../netfilter/x_tables.ts';
import { nf_send_reset, nf_send_unreach } from './nf_reject_ipv4.ts';

interface reject_info {
	with: number;
}

function reject_parse(b: Uint8Array): reject_info {
	return { with: get_unaligned_le32(b, ipt_reject_info.with) };
}

function reject_tg(skb: sk_buff, par: xt_action_param): number {
	const hook = par.state.hook;
	switch ((par.targinfo as reject_info).with) {
		case IPT_ICMP_NET_UNREACHABLE:
			nf_send_unreach(skb, ICMP_NET_UNREACH, hook);
			break;
		case IPT_ICMP_HOST_UNREACHABLE:
			nf_send_unreach(skb, ICMP_HOST_UNREACH, hook);
			break;
		case IPT_ICMP_PROT_UNREACHABLE:
			nf_send_unreach(skb, ICMP_PROT_UNREACH, hook);
			break;
		case IPT_ICMP_PORT_UNREACHABLE:
			nf_send_unreach(skb, ICMP_PORT_UNREACH, hook);
			break;
		case IPT_ICMP_NET_PROHIBITED:
			nf_send_unreach(skb, ICMP_NET_ANO, hook);
			break;
		case IPT_ICMP_HOST_PROHIBITED:
			nf_send_unreach(skb, ICMP_HOST_ANO, hook);
			break;
		case IPT_ICMP_ADMIN_PROHIBITED:
			nf_send_unreach(skb, ICMP_PKT_FILTERED, hook);
			break;
		case IPT_TCP_RESET:
			nf_send_reset(par.state.net, par.state.sk, skb, hook);
			break;
		default:
			break;
	}
	return NF_DROP;
}

function reject_tg_check(par: xt_tgchk_param): number {
	const type = (par.targinfo as reject_info).with;
	if (type === IPT_ICMP_ECHOREPLY) {
		printk(par.net.machine, 6, 'ipt_REJECT: ECHOREPLY no longer supported.');
		return -EINVAL;
	}
	if (type === IPT_TCP_RESET && (par.proto !== IPPROTO_TCP || par.invproto)) {
		printk(par.net.machine, 6, 'ipt_REJECT: TCP_RESET invalid for non-tcp');
		return -EINVAL;
	}
	return 0;
}

export function reject_tg_init(machine: Machine): number {
	return xt_register_target(machine, {
		name: 'REJECT',
		revision: 0,
		family: NFPROTO_IPV4,
		targetsize: ipt_reject_info.sizeof,
		table: 'filter',
		hooks: (1 << NF_INET_LOCAL_IN) | (1 << NF_INET_FORWARD) | (1 << NF_INET_LOCAL_OUT),
		parse: reject_parse,
		target: reject_tg,
		checkentry: reject_tg_check,
	});
}
