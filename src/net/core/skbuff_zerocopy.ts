/*
 * net/core/skbuff_zerocopy.ts: packets whose data stay a process's own memory (MSG_ZEROCOPY).   Linux: net/core/skbuff.c (msg_zerocopy_*)
 *
 * A send's ubuf_info is held by every packet that has some of its bytes. With the last one gone the process is told, by a message on the
 * socket's error queue (SO_EE_ORIGIN_ZEROCOPY, ids ee_info..ee_data), that the memory is its own again; a range that follows the one
 * that still waits there joins it. Whoever keeps a packet here (a tap, TUN, another socket of this machine) copies the bytes
 * first (skb_orphan_frags_rx), and the message then says so: SO_EE_CODE_ZEROCOPY_COPIED.
 *
 * Walk: msg_zerocopy_realloc (a send) -> skb_zerocopy_iter_stream (bytes to frags) -> skb_zcopy_clear (skb_release) -> msg_zerocopy_complete.
 * Documentation/networking/msg_zerocopy. Not here: RLIMIT_MEMLOCK, devmem, io_uring's own ubufs.
 */
import { SO_EE_CODE_ZEROCOPY_COPIED, SO_EE_ORIGIN_ZEROCOPY } from '../../uapi/linux/errqueue.ts';
import { type msghdr, SOCK_STREAM } from '../../uapi/linux/socket.ts';
import { sock_exterr } from './errqueue.ts';
import { alloc_skb, MAX_SKB_FRAGS, type sk_buff, type skb_shared_info } from './skbuff.ts';
import { page, skb_append_data, skb_can_coalesce, skb_fill_page_desc, skb_unclone } from './skbuff_frags.ts';
import { __skb_queue_tail } from './skbuff_queue.ts';
import { SOCK_DEAD, type sock, sock_flag } from './sock.ts';

const PAGE_SIZE = 4096;
/** Of SKB_TRUESIZE(0), and what an empty packet costs once it is made. */
const NOTIFY_TRUESIZE = 576;
const NOTIFY_CHARGE = 832;
/** Sends with more bytes than this do not share one message (a few TSO segments). */
const BYTE_LIMIT = 1 << 19;

/** One or several sends whose memory is in use. */
export class ubuf_info {
	sk: sock;
	refcnt = 1;
	/** First of `len` ids. */
	id: number;
	len = 1;
	bytelen: number;
	/** Nothing was copied so far. */
	zerocopy = true;

	constructor(sk: sock, id: number, size: number) {
		this.sk = sk;
		this.id = id;
		this.bytelen = size;
	}
}

function msg_zerocopy_alloc(sk: sock, size: number): ubuf_info | null {
	if (sk.sk_omem_alloc + NOTIFY_TRUESIZE > sk.net.machine.sock.sysctl_optmem_max) return null;
	sk.sk_omem_alloc += NOTIFY_CHARGE;
	const uarg = new ubuf_info(sk, sk.sk_zckey, size);
	sk.sk_zckey = (sk.sk_zckey + 1) >>> 0;
	return uarg;
}

/**
 * The ubuf_info of a send of `size` bytes, with a reference for the caller: `last` (that of the packet which the bytes may go to)
 * made longer, or a new one. Return: null when the socket has no memory for options left.
 */
export function msg_zerocopy_realloc(sk: sock, size: number, last: ubuf_info | null): ubuf_info | null {
	if (last !== null && last.bytelen + size <= BYTE_LIMIT && (last.id + last.len) >>> 0 === sk.sk_zckey) {
		last.len++;
		last.bytelen += size;
		sk.sk_zckey = (sk.sk_zckey + 1) >>> 0;
		if (sk.sk_type === SOCK_STREAM) last.refcnt++;
		return last;
	}
	return msg_zerocopy_alloc(sk, size);
}

/** Gives a reference back; the last one tells the process. */
export function net_zcopy_put(uarg: ubuf_info): void {
	if (--uarg.refcnt === 0) msg_zerocopy_complete(uarg);
}

/** The send failed before it took a byte: its id is used again. */
export function net_zcopy_put_abort(uarg: ubuf_info): void {
	uarg.sk.sk_zckey = (uarg.sk.sk_zckey - 1) >>> 0;
	uarg.len--;
	net_zcopy_put(uarg);
}

/** The system call that the send was ends; `taken`: whether any byte was. */
export function msg_zerocopy_done(msg: msghdr, taken: boolean): void {
	const uarg = msg.msg_ubuf as ubuf_info;
	msg.msg_ubuf = null;
	if (taken) net_zcopy_put(uarg);
	else net_zcopy_put_abort(uarg);
}

/** Joins ids to the message `skb`, when they follow its own. */
function skb_zerocopy_notify_extend(skb: sk_buff, lo: number, len: number): boolean {
	const e = skb.cb as sock_exterr;
	if (e.ee_origin !== SO_EE_ORIGIN_ZEROCOPY || lo !== (e.ee_data + 1) >>> 0) return false;
	e.ee_data = (e.ee_data + len) >>> 0;
	return true;
}

/** A message was read: what it cost of the socket's option memory is free again. */
function sock_ofree(skb: sk_buff): void {
	skb.sk!.sk_omem_alloc -= skb.truesize;
}

function msg_zerocopy_complete(uarg: ubuf_info): void {
	const { sk } = uarg;
	const q = sk.sk_error_queue;
	if (uarg.len === 0 || sock_flag(sk, SOCK_DEAD)) {
		sk.sk_omem_alloc -= NOTIFY_CHARGE;
		return;
	}
	if (q.last !== null && skb_zerocopy_notify_extend(q.last, uarg.id, uarg.len)) sk.sk_omem_alloc -= NOTIFY_CHARGE;
	else {
		const skb = alloc_skb(sk.net.machine, 0);
		skb.truesize = NOTIFY_CHARGE;
		skb.sk = sk;
		skb.destructor = sock_ofree;
		const e = new sock_exterr();
		e.ee_origin = SO_EE_ORIGIN_ZEROCOPY;
		e.ee_code = uarg.zerocopy ? 0 : SO_EE_CODE_ZEROCOPY_COPIED;
		e.ee_info = uarg.id;
		e.ee_data = (uarg.id + uarg.len - 1) >>> 0;
		skb.cb = e;
		__skb_queue_tail(q, skb);
	}
	sk.sk_error_report(sk);
}

export function skb_zcopy(skb: sk_buff): ubuf_info | null {
	return skb.shinfo.destructor_arg;
}

/** The packet holds some of the send's bytes: a reference of its own. */
export function skb_zcopy_set(skb: sk_buff, uarg: ubuf_info | null): void {
	const sh = skb.shinfo;
	if (uarg === null || sh.destructor_arg !== null) return;
	uarg.refcnt++;
	sh.destructor_arg = uarg;
}

/** The packet's data are gone, or (`zerocopy` false) are a copy now. */
export function skb_zcopy_clear(sh: skb_shared_info, zerocopy: boolean): void {
	const uarg = sh.destructor_arg;
	if (uarg === null) return;
	sh.destructor_arg = null;
	if (!zerocopy) uarg.zerocopy = false;
	net_zcopy_put(uarg);
}

/** What is to stay here gets a copy of the process's bytes. Return: 0 or -ENOMEM. */
export function skb_orphan_frags_rx(skb: sk_buff): number {
	if (skb.shinfo.destructor_arg === null) return 0;
	const err = skb_unclone(skb);
	if (err < 0) return err;
	const sh = skb.shinfo;
	const old = sh.frags.slice(0, sh.nr_frags);
	const { len, data_len, truesize } = skb;
	sh.frags = [];
	sh.nr_frags = 0;
	for (const f of old) {
		// The page is the process's: it goes back to no pool.
		f.page.refcount--;
		skb_append_data(skb, f.page.mem, f.offset, f.size);
	}
	skb.len = len;
	skb.data_len = data_len;
	skb.truesize = truesize;
	skb_zcopy_clear(sh, false);
	return 0;
}

/**
 * Puts up to `len` bytes of the process's memory `from` at `at` behind the packet's data, as they are: a frag for each page. `end`: where
 * the piece of the iovec ends. Counts len, data_len and truesize. Return: bytes taken; 0 when the packet has MAX_SKB_FRAGS.
 */
export function skb_zerocopy_iter_stream(
	skb: sk_buff,
	uarg: ubuf_info,
	from: Uint8Array,
	at: number,
	end: number,
	len: number,
): number {
	const sh = skb.shinfo;
	// A packet tells one ubuf_info only.
	if (sh.destructor_arg !== null && sh.destructor_arg !== uarg) return 0;
	let done = 0;
	let p: page | null = null;
	while (done < len && at < end) {
		const n = Math.min(len - done, end - at, PAGE_SIZE);
		if (p !== null && skb_can_coalesce(skb, sh.nr_frags, p, at) && n < PAGE_SIZE) sh.frags[sh.nr_frags - 1].size += n;
		else {
			if (sh.nr_frags >= MAX_SKB_FRAGS) break;
			if (p === null) p = new page(from, false);
			else p.refcount++;
			skb_fill_page_desc(skb, sh.nr_frags, p, at, n);
			skb.truesize += PAGE_SIZE;
		}
		done += n;
		at += n;
	}
	if (done === 0) return 0;
	skb.len += done;
	skb.data_len += done;
	skb_zcopy_set(skb, uarg);
	return done;
}
