/*
 * uapi/linux/socket.ts: families, socket types, options, addresses.   Linux: linux/socket.h, uapi/asm-generic/socket.h, uapi/linux/in.h
 */

export const AF_UNSPEC = 0;
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_PACKET = 10;
export const SOCK_TYPE_MASK = 15;
export const SOCK_NONBLOCK = 2048;
export const SOCK_CLOEXEC = 524288;
export const MSG_OOB = 1;
export const MSG_PEEK = 2;
export const MSG_DONTROUTE = 4;
export const MSG_CTRUNC = 8;
export const MSG_PROBE = 16;
export const MSG_TRUNC = 32;
export const MSG_DONTWAIT = 64;
export const MSG_EOR = 128;
export const MSG_WAITALL = 256;
export const MSG_CONFIRM = 2048;
export const MSG_ERRQUEUE = 8192;
export const MSG_NOSIGNAL = 16384;
export const MSG_MORE = 32768;
export const MSG_ZEROCOPY = 0x4000000;
export const MSG_FASTOPEN = 0x20000000;
export const SOL_IP = 0;
export const SOL_SOCKET = 1;
export const SOL_TCP = 6;
export const SOL_UDP = 17;
export const SOL_RAW = 255;
export const SOL_PACKET = 263;
export const SOL_NETLINK = 270;
export const SHUT_RD = 0;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;
export const POLLIN = 1;
export const POLLPRI = 2;
export const POLLOUT = 4;
export const POLLERR = 8;
export const POLLHUP = 16;
export const POLLNVAL = 32;
export const POLLRDNORM = 64;
export const POLLRDBAND = 128;
export const POLLWRNORM = 256;
export const POLLWRBAND = 512;
export const POLLMSG = 1024;
export const POLLRDHUP = 8192;

export const SO_DEBUG = 1;
export const SO_REUSEADDR = 2;
export const SO_TYPE = 3;
export const SO_ERROR = 4;
export const SO_DONTROUTE = 5;
export const SO_BROADCAST = 6;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const SO_KEEPALIVE = 9;
export const SO_OOBINLINE = 10;
export const SO_NO_CHECK = 11;
export const SO_PRIORITY = 12;
export const SO_LINGER = 13;
export const SO_BSDCOMPAT = 14;
export const SO_REUSEPORT = 15;
export const SO_PASSCRED = 16;
export const SO_PEERCRED = 17;
export const SO_RCVLOWAT = 18;
export const SO_SNDLOWAT = 19;
export const SO_RCVTIMEO_OLD = 20;
export const SO_SNDTIMEO_OLD = 21;
export const SO_SECURITY_AUTHENTICATION = 22;
export const SO_SECURITY_ENCRYPTION_TRANSPORT = 23;
export const SO_SECURITY_ENCRYPTION_NETWORK = 24;
export const SO_BINDTODEVICE = 25;
export const SO_ATTACH_FILTER = 26;
export const SO_DETACH_FILTER = 27;
export const SO_PEERNAME = 28;
export const SO_ACCEPTCONN = 30;
export const SO_PEERSEC = 31;
export const SO_PASSSEC = 34;
export const SO_MARK = 36;
export const SO_PROTOCOL = 38;
export const SO_DOMAIN = 39;
export const SO_RXQ_OVFL = 40;
export const SO_WIFI_STATUS = 41;
export const SO_PEEK_OFF = 42;
export const SO_NOFCS = 43;
export const SO_LOCK_FILTER = 44;
export const SO_SELECT_ERR_QUEUE = 45;
export const SO_BUSY_POLL = 46;
export const SO_MAX_PACING_RATE = 47;
export const SO_BPF_EXTENSIONS = 48;
export const SO_INCOMING_CPU = 49;
export const SO_ATTACH_BPF = 50;
export const SO_ATTACH_REUSEPORT_CBPF = 51;
export const SO_ATTACH_REUSEPORT_EBPF = 52;
export const SO_CNX_ADVICE = 53;
export const SCM_TIMESTAMPING_OPT_STATS = 54;
export const SO_MEMINFO = 55;
export const SO_INCOMING_NAPI_ID = 56;
export const SO_COOKIE = 57;
export const SCM_TIMESTAMPING_PKTINFO = 58;
export const SO_PEERGROUPS = 59;
export const SO_ZEROCOPY = 60;
export const SO_TXTIME = 61;
export const SO_BINDTOIFINDEX = 62;
export const SO_TIMESTAMP_OLD = 29;
export const SO_TIMESTAMPNS_OLD = 35;
export const SO_TIMESTAMPING_OLD = 37;
export const SO_TIMESTAMP_NEW = 63;
export const SO_TIMESTAMPNS_NEW = 64;
export const SO_TIMESTAMPING_NEW = 65;
export const SO_RCVTIMEO_NEW = 66;
export const SO_SNDTIMEO_NEW = 67;
export const SO_DETACH_REUSEPORT_BPF = 68;
export const SO_PREFER_BUSY_POLL = 69;
export const SO_BUSY_POLL_BUDGET = 70;
export const SO_NETNS_COOKIE = 71;
export const SO_BUF_LOCK = 72;
export const SO_RESERVE_MEM = 73;
export const SO_TXREHASH = 74;
export const SO_RCVMARK = 75;
export const SO_RCVPRIORITY = 82;
export const SO_TIMESTAMP = 29;
export const SO_TIMESTAMPNS = 35;
export const SO_TIMESTAMPING = 37;
export const SO_RCVTIMEO = 20;
export const SO_SNDTIMEO = 21;
export const SCM_TIMESTAMP = 29;
export const SCM_TIMESTAMPNS = 35;

export const IP_TOS = 1;
export const IP_TTL = 2;
export const IP_HDRINCL = 3;
export const IP_OPTIONS = 4;
export const IP_ROUTER_ALERT = 5;
export const IP_RECVOPTS = 6;
export const IP_RETOPTS = 7;
export const IP_PKTINFO = 8;
export const IP_PKTOPTIONS = 9;
export const IP_MTU_DISCOVER = 10;
export const IP_RECVERR = 11;
export const IP_RECVTTL = 12;
export const IP_RECVTOS = 13;
export const IP_MTU = 14;
export const IP_FREEBIND = 15;
export const IP_IPSEC_POLICY = 16;
export const IP_XFRM_POLICY = 17;
export const IP_PASSSEC = 18;
export const IP_TRANSPARENT = 19;
export const IP_ORIGDSTADDR = 20;
export const IP_MINTTL = 21;
export const IP_NODEFRAG = 22;
export const IP_CHECKSUM = 23;
export const IP_BIND_ADDRESS_NO_PORT = 24;
export const IP_RECVFRAGSIZE = 25;
export const IP_RECVERR_RFC4884 = 26;
export const IP_PMTUDISC_DONT = 0;
export const IP_PMTUDISC_WANT = 1;
export const IP_PMTUDISC_DO = 2;
export const IP_PMTUDISC_PROBE = 3;
export const IP_PMTUDISC_INTERFACE = 4;
export const IP_PMTUDISC_OMIT = 5;
export const IP_MULTICAST_IF = 32;
export const IP_MULTICAST_TTL = 33;
export const IP_MULTICAST_LOOP = 34;
export const IP_ADD_MEMBERSHIP = 35;
export const IP_DROP_MEMBERSHIP = 36;
export const IP_UNBLOCK_SOURCE = 37;
export const IP_BLOCK_SOURCE = 38;
export const IP_ADD_SOURCE_MEMBERSHIP = 39;
export const IP_DROP_SOURCE_MEMBERSHIP = 40;
export const IP_MSFILTER = 41;
export const MCAST_JOIN_GROUP = 42;
export const MCAST_BLOCK_SOURCE = 43;
export const MCAST_UNBLOCK_SOURCE = 44;
export const MCAST_LEAVE_GROUP = 45;
export const MCAST_JOIN_SOURCE_GROUP = 46;
export const MCAST_LEAVE_SOURCE_GROUP = 47;
export const MCAST_MSFILTER = 48;
export const IP_MULTICAST_ALL = 49;
export const IP_UNICAST_IF = 50;
export const IP_LOCAL_PORT_RANGE = 51;
export const IP_PROTOCOL = 52;
export const MCAST_EXCLUDE = 0;
export const MCAST_INCLUDE = 1;
export const IP_DEFAULT_MULTICAST_TTL = 1;
export const IP_DEFAULT_MULTICAST_LOOP = 1;
export const IN_CLASSA_NET = 0;
export const IN_CLASSA_NSHIFT = 24;
export const IN_CLASSA_MAX = 128;
export const IN_CLASSB_NET = 0;
export const IN_CLASSB_NSHIFT = 16;
export const IN_CLASSB_MAX = 65536;
export const IN_CLASSC_NET = 0;
export const IN_CLASSC_NSHIFT = 8;
export const IN_MULTICAST_NET = 0;
export const IN_CLASSE_NET = 0;
export const IN_CLASSE_NSHIFT = 0;
export const INADDR_ANY = 0;
export const INADDR_BROADCAST = 0;
export const INADDR_NONE = 0;
export const INADDR_DUMMY = 0;
export const IN_LOOPBACKNET = 127;
export const INADDR_LOOPBACK = 0;
export const INADDR_UNSPEC_GROUP = 0;
export const INADDR_ALLHOSTS_GROUP = 0;
export const INADDR_ALLRTRS_GROUP = 0;
export const INADDR_ALLSNOOPERS_GROUP = 0;
export const INADDR_MAX_LOCAL_GROUP = 0;

export const IPPROTO_IP = 0;
export const IPPROTO_ICMP = 1;
export const IPPROTO_IGMP = 2;
export const IPPROTO_IPIP = 4;
export const IPPROTO_TCP = 6;
export const IPPROTO_EGP = 8;
export const IPPROTO_PUP = 12;
export const IPPROTO_UDP = 17;
export const IPPROTO_IDP = 22;
export const IPPROTO_TP = 29;
export const IPPROTO_DCCP = 33;
export const IPPROTO_IPV6 = 41;
export const IPPROTO_RSVP = 46;
export const IPPROTO_GRE = 47;
export const IPPROTO_ESP = 50;
export const IPPROTO_AH = 51;
export const IPPROTO_MTP = 92;
export const IPPROTO_BEETPH = 94;
export const IPPROTO_ENCAP = 98;
export const IPPROTO_PIM = 103;
export const IPPROTO_COMP = 108;
export const IPPROTO_L2TP = 115;
export const IPPROTO_SCTP = 132;
export const IPPROTO_UDPLITE = 136;
export const IPPROTO_MPLS = 137;
export const IPPROTO_ETHERNET = 143;
export const IPPROTO_RAW = 255;
export const IPPROTO_MPTCP = 262;

/** One record for the addresses of all families; a family uses its own fields. */
export class sockaddr {
	sa_family: number;
	/** AF_INET: host order. */
	sin_addr = 0;
	sin_port = 0;
	/** AF_PACKET: protocol (ethertype, host order), interface index, hardware type, packet type, address. */
	sll_protocol = 0;
	sll_ifindex = 0;
	sll_hatype = 0;
	sll_pkttype = 0;
	sll_addr: Uint8Array | null = null;
	/** AF_NETLINK. */
	nl_pid = 0;
	nl_groups = 0;

	constructor(family: number) {
		this.sa_family = family;
	}
}

export function sockaddr_in(addr: number, port: number): sockaddr {
	const sa = new sockaddr(2);
	sa.sin_addr = addr;
	sa.sin_port = port;
	return sa;
}

export function sockaddr_nl(pid: number, groups: number): sockaddr {
	const sa = new sockaddr(16);
	sa.nl_pid = pid;
	sa.nl_groups = groups;
	return sa;
}

export function sockaddr_ll(protocol: number, ifindex: number): sockaddr {
	const sa = new sockaddr(17);
	sa.sll_protocol = protocol;
	sa.sll_ifindex = ifindex;
	return sa;
}

/** Ancillary data. `data` is laid out as in C on a little-endian 64-bit machine. */
export interface cmsghdr {
	level: number;
	type: number;
	data: Uint8Array;
}

/** sendmsg(2) and recvmsg(2). For receive: the buffer is `msg_iov`, results are written here. */
export class msghdr {
	msg_name: sockaddr | null = null;
	msg_iov: Uint8Array;
	msg_control: cmsghdr[] = [];
	msg_flags = 0;
	/** Lengths of the iovec's pieces that msg_iov is of; null: one piece. */
	msg_iovlen: readonly number[] | null = null;
	/** The kernel's: what a MSG_ZEROCOPY send that goes on is accounted by. */
	msg_ubuf: unknown = null;

	constructor(iov: Uint8Array, name: sockaddr | null = null) {
		this.msg_iov = iov;
		this.msg_name = name;
	}
}
