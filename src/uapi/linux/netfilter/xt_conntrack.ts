/*
 * uapi/linux/netfilter/xt_conntrack.ts: match conntrack.   Linux: uapi/linux/netfilter/xt_conntrack.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_CONNTRACK_STATE_INVALID = 1;
export const XT_CONNTRACK_STATE_SNAT = 64;
export const XT_CONNTRACK_STATE_DNAT = 128;
export const XT_CONNTRACK_STATE_UNTRACKED = 256;
export const XT_CONNTRACK_STATE = 1;
export const XT_CONNTRACK_PROTO = 2;
export const XT_CONNTRACK_ORIGSRC = 4;
export const XT_CONNTRACK_ORIGDST = 8;
export const XT_CONNTRACK_REPLSRC = 16;
export const XT_CONNTRACK_REPLDST = 32;
export const XT_CONNTRACK_STATUS = 64;
export const XT_CONNTRACK_EXPIRES = 128;
export const XT_CONNTRACK_ORIGSRC_PORT = 256;
export const XT_CONNTRACK_ORIGDST_PORT = 512;
export const XT_CONNTRACK_REPLSRC_PORT = 1024;
export const XT_CONNTRACK_REPLDST_PORT = 2048;
export const XT_CONNTRACK_DIRECTION = 4096;
export const XT_CONNTRACK_STATE_ALIAS = 8192;

export const xt_conntrack_mtinfo1 = {
	sizeof: 152,
	origsrc_addr: 0,
	origsrc_mask: 16,
	origdst_addr: 32,
	origdst_mask: 48,
	replsrc_addr: 64,
	replsrc_mask: 80,
	repldst_addr: 96,
	repldst_mask: 112,
	expires_min: 128,
	expires_max: 132,
	l4proto: 136,
	origsrc_port: 138,
	origdst_port: 140,
	replsrc_port: 142,
	repldst_port: 144,
	match_flags: 146,
	invert_flags: 148,
	state_mask: 150,
	status_mask: 151,
};

export const xt_conntrack_mtinfo2 = {
	sizeof: 156,
	origsrc_addr: 0,
	origsrc_mask: 16,
	origdst_addr: 32,
	origdst_mask: 48,
	replsrc_addr: 64,
	replsrc_mask: 80,
	repldst_addr: 96,
	repldst_mask: 112,
	expires_min: 128,
	expires_max: 132,
	l4proto: 136,
	origsrc_port: 138,
	origdst_port: 140,
	replsrc_port: 142,
	repldst_port: 144,
	match_flags: 146,
	invert_flags: 148,
	state_mask: 150,
	status_mask: 152,
};

export const xt_conntrack_mtinfo3 = {
	sizeof: 164,
	origsrc_addr: 0,
	origsrc_mask: 16,
	origdst_addr: 32,
	origdst_mask: 48,
	replsrc_addr: 64,
	replsrc_mask: 80,
	repldst_addr: 96,
	repldst_mask: 112,
	expires_min: 128,
	expires_max: 132,
	l4proto: 136,
	origsrc_port: 138,
	origdst_port: 140,
	replsrc_port: 142,
	repldst_port: 144,
	match_flags: 146,
	invert_flags: 148,
	state_mask: 150,
	status_mask: 152,
	origsrc_port_high: 154,
	origdst_port_high: 156,
	replsrc_port_high: 158,
	repldst_port_high: 160,
};
