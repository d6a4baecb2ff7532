/*
 * packetdrill/symbols.ts: names that a script may use for numbers.
 */
import * as errno from '../uapi/asm-generic/errno.ts';
import * as errqueue from '../uapi/linux/errqueue.ts';
import * as eventpoll from '../uapi/linux/eventpoll.ts';
import * as socket from '../uapi/linux/socket.ts';
import * as sockios from '../uapi/linux/sockios.ts';
import * as tcp from '../uapi/linux/tcp.ts';

const TABLE = new Map<string, number>();
for (const module of [socket, tcp, errqueue, eventpoll, sockios])
	for (const [name, value] of Object.entries(module)) if (typeof value === 'number') TABLE.set(name, value);

const OTHERS: Record<string, number> = {
	SOL_IPV6: 41,
	IPV6_RECVERR: 25,
	SOL_SCTP: 132,
	SOMAXCONN: 4096,
	F_GETFL: 3,
	F_SETFL: 4,
	O_RDONLY: 0,
	O_WRONLY: 1,
	O_RDWR: 2,
	O_NONBLOCK: 0o4000,
	FIONREAD: 0x541b,
	SIOCINQ: 0x541b,
	SIOCOUTQ: 0x5411,
	SIOCOUTQNSD: 0x894b,
	MSG_ZEROCOPY: 0x4000000,
	MSG_FASTOPEN: 0x20000000,
	MSG_WAITALL: 0x100,
	MSG_EOR: 0x80,
	SO_EE_ORIGIN_ZEROCOPY: 5,
	SO_EE_CODE_ZEROCOPY_COPIED: 1,
	POLLRDHUP: 0x2000,
	POLLRDNORM: 0x40,
	POLLWRNORM: 0x100,
	POLLRDBAND: 0x80,
	POLLWRBAND: 0x200,
	TCP_ESTABLISHED: 1,
	TCP_SYN_SENT: 2,
	TCP_SYN_RECV: 3,
	TCP_FIN_WAIT1: 4,
	TCP_FIN_WAIT2: 5,
	TCP_TIME_WAIT: 6,
	TCP_CLOSE: 7,
	TCP_CLOSE_WAIT: 8,
	TCP_LAST_ACK: 9,
	TCP_LISTEN: 10,
	TCP_CLOSING: 11,
};
for (const [name, value] of Object.entries(OTHERS)) if (!TABLE.has(name)) TABLE.set(name, value);

/** The number behind a name, or undefined. */
export function symbol(name: string): number | undefined {
	return TABLE.get(name);
}

/** All names, for the code between %{ and }%. */
export function symbols(): Map<string, number> {
	return TABLE;
}

const ERRNO_NAMES = new Map<number, string>();
const ERRNO_NUMBERS = new Map<string, number>();
for (const [name, value] of Object.entries(errno))
	if (typeof value === 'number' && /^E[A-Z0-9]+$/.test(name)) {
		ERRNO_NUMBERS.set(name, value);
		if (!ERRNO_NAMES.has(value)) ERRNO_NAMES.set(value, name);
	}

/** EPIPE for 32. */
export function errnoName(n: number): string {
	return ERRNO_NAMES.get(n) ?? String(n);
}

/** 32 for EPIPE, or undefined. */
export function errnoNumber(name: string): number | undefined {
	return ERRNO_NUMBERS.get(name);
}
