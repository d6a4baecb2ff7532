/*
 * uapi/linux/inet_diag.ts: what is asked of sockets, and answered (sock_diag netlink).      Linux: linux/sock_diag.h, linux/inet_diag.h
 * man 7 sock_diag. struct inet_diag_sockid (48 bytes): sport, dport (be16), src, dst (16 bytes each), if, cookie (2 * 32 bits).
 */

export const TCPDIAG_GETSOCK = 18;
export const SOCK_DIAG_BY_FAMILY = 20;
export const SOCK_DESTROY = 21;

/** struct inet_diag_req_v2: family, protocol, ext, pad, states (32 bits), id. */
export const INET_DIAG_REQ_V2_LEN = 56;
/** struct inet_diag_req (TCPDIAG_GETSOCK): family, src_len, dst_len, ext, id, states, dbs. */
export const INET_DIAG_REQ_LEN = 60;
/** struct inet_diag_msg: family, state, timer, retrans, id, expires, rqueue, wqueue, uid, inode. */
export const INET_DIAG_MSG_LEN = 72;
export const INET_DIAG_NOCOOKIE = 0xffffffff;

/** Attributes of a request. */
export const INET_DIAG_REQ_BYTECODE = 1;
export const INET_DIAG_REQ_SK_BPF_STORAGES = 2;
export const INET_DIAG_REQ_PROTOCOL = 3;

/** Attributes of an answer; `1 << (n - 1)` in ext asks for them. */
export const INET_DIAG_MEMINFO = 1;
export const INET_DIAG_INFO = 2;
export const INET_DIAG_VEGASINFO = 3;
export const INET_DIAG_CONG = 4;
export const INET_DIAG_TOS = 5;
export const INET_DIAG_TCLASS = 6;
export const INET_DIAG_SKMEMINFO = 7;
export const INET_DIAG_SHUTDOWN = 8;
export const INET_DIAG_PROTOCOL = 10;
export const INET_DIAG_PAD = 14;
export const INET_DIAG_MARK = 15;
export const INET_DIAG_BBRINFO = 16;
export const INET_DIAG_CLASS_ID = 17;
export const INET_DIAG_MD5SIG = 18;
export const INET_DIAG_CGROUP_ID = 21;
export const INET_DIAG_SOCKOPT = 22;
export const INET_DIAG_MAX = 22;

/** Bytecode: struct inet_diag_bc_op: code, yes (a byte each), no (16 bits): where to go on, in bytes. */
export const INET_DIAG_BC_NOP = 0;
export const INET_DIAG_BC_JMP = 1;
export const INET_DIAG_BC_S_GE = 2;
export const INET_DIAG_BC_S_LE = 3;
export const INET_DIAG_BC_D_GE = 4;
export const INET_DIAG_BC_D_LE = 5;
export const INET_DIAG_BC_AUTO = 6;
export const INET_DIAG_BC_S_COND = 7;
export const INET_DIAG_BC_D_COND = 8;
export const INET_DIAG_BC_DEV_COND = 9;
export const INET_DIAG_BC_MARK_COND = 10;
export const INET_DIAG_BC_S_EQ = 11;
export const INET_DIAG_BC_D_EQ = 12;
export const INET_DIAG_BC_CGROUP_COND = 13;
