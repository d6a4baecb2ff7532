/*
 * uapi/linux/veth.ts: attributes of a veth pair.   Linux: uapi/linux/veth.h
 */

export const VETH_INFO_UNSPEC = 0;
export const VETH_INFO_PEER = 1;
export const VETH_INFO_MAX = 1;
