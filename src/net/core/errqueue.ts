/*
 * net/core/errqueue.ts: what waits in a socket's error queue (recvmsg with MSG_ERRQUEUE).      Linux: linux/errqueue.h
 */

/** struct sock_extended_err, and where the packet's destination was. Stands in skb.cb while the skb is in the error queue. */
export class sock_exterr {
	ee_errno = 0;
	ee_origin = 0;
	ee_type = 0;
	ee_code = 0;
	ee_info = 0;
	ee_data = 0;
	/** Destination of the packet that the error is about. */
	addr = 0;
	port = 0;
}
