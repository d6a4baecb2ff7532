/*
 * uapi/linux/netfilter/xt_socket.ts: match socket.   Linux: uapi/linux/netfilter/xt_socket.h
 * A struct is given by the offsets of its fields and its size, as x86-64 lays it out.
 */

export const XT_SOCKET_FLAGS_V1 = 1;
export const XT_SOCKET_FLAGS_V2 = 3;
export const XT_SOCKET_FLAGS_V3 = 7;
export const XT_SOCKET_TRANSPARENT = 1;
export const XT_SOCKET_NOWILDCARD = 2;
export const XT_SOCKET_RESTORESKMARK = 4;

export const xt_socket_mtinfo1 = {
	sizeof: 1,
	flags: 0,
};

export const xt_socket_mtinfo2 = {
	sizeof: 1,
	flags: 0,
};

export const xt_socket_mtinfo3 = {
	sizeof: 1,
	flags: 0,
};
