/*
 * uapi/linux/netfilter/xt_esp.ts: match esp.   Linux: uapi/linux/netfilter/xt_esp.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_ESP_INV_SPI = 1;
export const XT_ESP_INV_MASK = 1;

export const xt_esp = {
	sizeof: 12,
	spis: 0,
	invflags: 8,
};
