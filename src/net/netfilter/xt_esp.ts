/*
 * net/netfilter/xt_esp.ts: matches esp and ah: ranges of SPIs.     Linux: net/netfilter/xt_esp.c, net/ipv4/netfilter/ipt_ah.c
 * RFC 4303 2.1, RFC 4302 2.4 (where the SPI stands).
 */
import type { Machine } from '../../kernel/machine.ts';
import { get_unaligned_be32, get_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import { XT_ESP_INV_MASK, XT_ESP_INV_SPI, xt_esp } from '../../uapi/linux/netfilter/xt_esp.ts';
import { NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import { IPPROTO_AH, IPPROTO_ESP } from '../../uapi/linux/socket.ts';
import { pskb_may_pull, type sk_buff } from '../core/skbuff.ts';
import { type xt_action_param, xt_register_matches } from './x_tables.ts';

interface spi_info {
	min: number;
	max: number;
	invert: boolean;
}

function spi_parse(b: Uint8Array): spi_info | number {
	if ((b[xt_esp.invflags] & ~XT_ESP_INV_MASK) !== 0) return -EINVAL;
	return {
		min: get_unaligned_le32(b, xt_esp.spis),
		max: get_unaligned_le32(b, xt_esp.spis + 4),
		invert: (b[xt_esp.invflags] & XT_ESP_INV_SPI) !== 0,
	};
}

function spi_mt(skb: sk_buff, par: xt_action_param, at: number, size: number): boolean {
	const info = par.matchinfo as spi_info;
	if (par.fragoff !== 0) return false;
	const off = skb.network_header - skb.data + par.thoff;
	if (!pskb_may_pull(skb, off + size)) {
		par.hotdrop = true;
		return false;
	}
	const spi = get_unaligned_be32(skb.head, skb.data + off + at);
	return (spi >= info.min && spi <= info.max) !== info.invert;
}

function esp_mt(skb: sk_buff, par: xt_action_param): boolean {
	return spi_mt(skb, par, 0, 8);
}

function ah_mt(skb: sk_buff, par: xt_action_param): boolean {
	return spi_mt(skb, par, 4, 12);
}

export function esp_mt_init(machine: Machine): number {
	const both = { revision: 0, family: NFPROTO_IPV4, matchsize: xt_esp.sizeof, parse: spi_parse };
	return xt_register_matches(machine, [
		{ ...both, name: 'esp', proto: IPPROTO_ESP, match: esp_mt },
		{ ...both, name: 'ah', proto: IPPROTO_AH, match: ah_mt },
	]);
}
