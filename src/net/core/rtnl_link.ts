/*
 * net/core/rtnl_link.ts: links by message: RTM_NEWLINK, DELLINK, GETLINK, SETLINK.   Linux: net/core/rtnetlink.c (the links' half)
 * Walk: rtnl_newlink -> (there is such a link: do_setlink) or (none: rtnl_link_ops.newlink -> rtnl_configure_link);
 * rtnl_dellink -> rtnl_link_ops.dellink; rtnl_getlink, rtnl_dump_ifinfo -> rtnl_fill_ifinfo.
 * Not here yet: IFLA_MAP, VFs, XDP, IFLA_PROTINFO, alternative names, RTM_SETLINK of the bridge family.
 */
import type { Machine } from '../../kernel/machine.ts';
import { KERN_WARNING, net_ratelimit, printk } from '../../kernel/printk.ts';
import { get_unaligned_le16, get_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	__nla_parse,
	NL_SET_ERR_MSG,
	NL_SET_ERR_MSG_ATTR,
	NL_VALIDATE_LIBERAL,
	NLA_BINARY,
	NLA_NESTED,
	NLA_REJECT,
	NLA_S32,
	NLA_STRING,
	NLA_U8,
	NLA_U32,
	NLMSG_HDRLEN,
	type netlink_ext_ack,
	nla_get_s32,
	nla_get_string,
	nla_get_u8,
	nla_get_u32,
	nla_memdup,
	nla_nested,
	nla_parse_nested_deprecated,
	type nla_policy_table,
	type nlattr,
	type nlattr_table,
	nlmsg_attrdata,
	nlmsg_len,
	nlmsg_parse_deprecated,
	nlmsg_parse_deprecated_strict,
	type nlmsghdr,
} from '../../lib/nlattr.ts';
import { EAFNOSUPPORT, EEXIST, EINVAL, EMSGSIZE, ENODEV, EOPNOTSUPP, EPERM } from '../../uapi/asm-generic/errno.ts';
import { IFALIASZ, IFF_ALLMULTI, IFF_PROMISC, IFNAMSIZ } from '../../uapi/linux/if.ts';
import {
	IFLA_ADDRESS,
	IFLA_AF_SPEC,
	IFLA_ALLMULTI,
	IFLA_ALT_IFNAME,
	IFLA_BROADCAST,
	IFLA_CARRIER,
	IFLA_CARRIER_CHANGES,
	IFLA_CARRIER_DOWN_COUNT,
	IFLA_CARRIER_UP_COUNT,
	IFLA_EXT_MASK,
	IFLA_GROUP,
	IFLA_GSO_MAX_SEGS,
	IFLA_GSO_MAX_SIZE,
	IFLA_IFALIAS,
	IFLA_IFNAME,
	IFLA_INFO_DATA,
	IFLA_INFO_KIND,
	IFLA_INFO_MAX,
	IFLA_INFO_SLAVE_KIND,
	IFLA_LINK,
	IFLA_LINK_NETNSID,
	IFLA_LINKINFO,
	IFLA_LINKMODE,
	IFLA_MAP,
	IFLA_MASTER,
	IFLA_MAX,
	IFLA_MAX_MTU,
	IFLA_MIN_MTU,
	IFLA_MTU,
	IFLA_NET_NS_FD,
	IFLA_NET_NS_PID,
	IFLA_NEW_IFINDEX,
	IFLA_NUM_RX_QUEUES,
	IFLA_NUM_TX_QUEUES,
	IFLA_OPERSTATE,
	IFLA_PROMISCUITY,
	IFLA_PROTINFO,
	IFLA_PROTO_DOWN,
	IFLA_TARGET_NETNSID,
	IFLA_TXQLEN,
	IFLA_WEIGHT,
} from '../../uapi/linux/if_link.ts';
import { NLM_F_CREATE, NLM_F_DUMP_FILTERED, NLM_F_EXCL, NLM_F_MULTI, NLM_F_REPLACE } from '../../uapi/linux/netlink.ts';
import { RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK, RTM_SETLINK } from '../../uapi/linux/rtnetlink.ts';
import { netlink_strict_get_check } from '../netlink/af_netlink.ts';
import { type netlink_callback, type netlink_skb, nl_dump_check_consistent, nlmsg_new } from '../netlink/netlink.ts';
import {
	__dev_change_flags,
	__dev_get_by_index,
	__dev_get_by_name,
	__dev_notify_flags,
	call_netdevice_notifiers,
	dev_change_carrier,
	dev_change_flags,
	dev_change_name,
	dev_change_net_namespace,
	dev_change_tx_queue_len,
	dev_set_alias,
	dev_set_group,
	dev_set_mac_address,
	dev_set_mtu_ext,
	dev_validate_mtu,
	NETDEV_CHANGEADDR,
	netdev_state_change,
	register_netdevice,
} from './dev.ts';
import type { net } from './net_namespace.ts';
import { net_device, net_device_ops } from './netdevice.ts';
import {
	dev_rtnl_link_ops,
	RTNL_FLAG_DUMP_SPLIT_NLM_DONE,
	type rtnl_link_ops,
	rtnl_link_ops_get,
	rtnl_register,
	rtnl_unicast,
} from './rtnetlink.ts';
import { rtnl_fill_ifinfo } from './rtnl_fill.ts';
import { get_net_ns_by_fd, get_net_ns_by_id, get_net_ns_by_pid } from './rtnl_nsid.ts';

const IFINFOMSG = 16;

const ifla_policy: nla_policy_table = {
	[IFLA_IFNAME]: { type: NLA_STRING, len: IFNAMSIZ - 1 },
	[IFLA_ADDRESS]: { type: NLA_BINARY, len: 32 },
	[IFLA_BROADCAST]: { type: NLA_BINARY, len: 32 },
	[IFLA_MAP]: { type: 0, len: 32 },
	[IFLA_MTU]: { type: NLA_U32 },
	[IFLA_LINK]: { type: NLA_U32 },
	[IFLA_MASTER]: { type: NLA_U32 },
	[IFLA_CARRIER]: { type: NLA_U8 },
	[IFLA_TXQLEN]: { type: NLA_U32 },
	[IFLA_WEIGHT]: { type: NLA_U32 },
	[IFLA_OPERSTATE]: { type: NLA_U8 },
	[IFLA_LINKMODE]: { type: NLA_U8 },
	[IFLA_LINKINFO]: { type: NLA_NESTED },
	[IFLA_NET_NS_PID]: { type: NLA_U32 },
	[IFLA_NET_NS_FD]: { type: NLA_U32 },
	// An empty one takes the alias away.
	[IFLA_IFALIAS]: { type: NLA_BINARY, len: IFALIASZ - 1 },
	[IFLA_AF_SPEC]: { type: NLA_NESTED },
	[IFLA_EXT_MASK]: { type: NLA_U32 },
	[IFLA_PROMISCUITY]: { type: NLA_U32 },
	[IFLA_NUM_TX_QUEUES]: { type: NLA_U32 },
	[IFLA_NUM_RX_QUEUES]: { type: NLA_U32 },
	[IFLA_GSO_MAX_SEGS]: { type: NLA_U32 },
	[IFLA_GSO_MAX_SIZE]: { type: NLA_U32 },
	[IFLA_CARRIER_CHANGES]: { type: NLA_U32 },
	[IFLA_LINK_NETNSID]: { type: NLA_S32 },
	[IFLA_PROTO_DOWN]: { type: NLA_U8 },
	[IFLA_GROUP]: { type: NLA_U32 },
	[IFLA_TARGET_NETNSID]: { type: NLA_S32 },
	[IFLA_CARRIER_UP_COUNT]: { type: NLA_U32 },
	[IFLA_CARRIER_DOWN_COUNT]: { type: NLA_U32 },
	[IFLA_MIN_MTU]: { type: NLA_U32 },
	[IFLA_MAX_MTU]: { type: NLA_U32 },
	[IFLA_ALT_IFNAME]: { type: NLA_STRING, len: 127 },
	[IFLA_NEW_IFINDEX]: { type: NLA_S32, min: 1 },
	[IFLA_ALLMULTI]: { type: NLA_REJECT },
};

const ifla_info_policy: nla_policy_table = {
	[IFLA_INFO_KIND]: { type: NLA_STRING },
	[IFLA_INFO_DATA]: { type: NLA_NESTED },
	[IFLA_INFO_SLAVE_KIND]: { type: NLA_STRING },
};

/** struct ifinfomsg as sent. */
class ifinfomsg {
	family: number;
	pad: number;
	type: number;
	index: number;
	flags: number;
	change: number;

	constructor(nlh: nlmsghdr) {
		const { buf, data } = nlh;
		this.family = buf[data];
		this.pad = buf[data + 1];
		this.type = get_unaligned_le16(buf, data + 2);
		this.index = get_unaligned_le32(buf, data + 4) | 0;
		this.flags = get_unaligned_le32(buf, data + 8);
		this.change = get_unaligned_le32(buf, data + 12);
	}
}

// ---- which namespace, which link ----

function rtnl_ensure_unique_netns(tb: nlattr_table, extack: netlink_ext_ack | null, only_id: boolean): number {
	if (only_id && (tb[IFLA_NET_NS_PID] !== null || tb[IFLA_NET_NS_FD] !== null)) {
		NL_SET_ERR_MSG(extack, 'specified netns attribute not supported');
		return -EOPNOTSUPP;
	}
	let n = 0;
	for (const t of [IFLA_TARGET_NETNSID, IFLA_NET_NS_PID, IFLA_NET_NS_FD]) if (tb[t] !== null) n++;
	if (n <= 1) return 0;
	NL_SET_ERR_MSG(extack, 'multiple netns identifying attributes specified');
	return -EINVAL;
}

/** The namespace that the message names, or the asker's. Return: it or -errno. */
export function rtnl_link_get_net(skb: netlink_skb, tb: nlattr_table): net | number {
	const net = skb.net;
	if (tb[IFLA_NET_NS_PID] !== null) return get_net_ns_by_pid(net.machine, nla_get_u32(tb[IFLA_NET_NS_PID]));
	if (tb[IFLA_NET_NS_FD] !== null) {
		return get_net_ns_by_fd(skb.sk?.sk_socket?.task ?? null, nla_get_u32(tb[IFLA_NET_NS_FD]));
	}
	if (tb[IFLA_TARGET_NETNSID] !== null) {
		return get_net_ns_by_id(net, nla_get_s32(tb[IFLA_TARGET_NETNSID])) ?? -EINVAL;
	}
	return net;
}

function rtnl_dev_get(net: net, tb: nlattr_table): net_device | null {
	const name = tb[IFLA_IFNAME] ?? tb[IFLA_ALT_IFNAME];
	return name === null ? null : __dev_get_by_name(net, nla_get_string(name));
}

// ---- setting ----

function validate_linkmsg(dev: net_device, tb: nlattr_table, extack: netlink_ext_ack | null): number {
	for (const t of [IFLA_ADDRESS, IFLA_BROADCAST]) {
		const a = tb[t];
		if (a !== null && a.len < dev.addr_len) return -EINVAL;
	}
	const gso = tb[IFLA_GSO_MAX_SIZE];
	if (gso !== null && nla_get_u32(gso) > 524280) {
		NL_SET_ERR_MSG(extack, 'too big gso_max_size');
		return -EINVAL;
	}
	const segs = tb[IFLA_GSO_MAX_SEGS];
	if (segs !== null && nla_get_u32(segs) > 65535) {
		NL_SET_ERR_MSG(extack, 'too big gso_max_segs');
		return -EINVAL;
	}
	if (tb[IFLA_AF_SPEC] !== null) {
		for (const af of nla_nested(tb[IFLA_AF_SPEC])) {
			const ops = dev.net.machine.rtnl.af_ops.find((o) => o.family === af.type);
			if (ops === undefined) return -EAFNOSUPPORT;
			if (ops.set_link_af === null) return -EOPNOTSUPP;
			const err = ops.validate_link_af?.(dev, af, extack) ?? 0;
			if (err < 0) return err;
		}
	}
	return 0;
}

/** Flags as set by userland: what the driver counts for others is left out. */
function rtnl_dev_get_flags(dev: net_device): number {
	return (dev.flags & ~(IFF_PROMISC | IFF_ALLMULTI)) | (dev.gflags & (IFF_PROMISC | IFF_ALLMULTI));
}

function rtnl_dev_combine_flags(dev: net_device, ifm: ifinfomsg): number {
	if (ifm.change === 0) return ifm.flags;
	return ((ifm.flags & ifm.change) | (rtnl_dev_get_flags(dev) & ~ifm.change)) >>> 0;
}

function do_set_master(dev: net_device, ifindex: number, extack: netlink_ext_ack | null): number {
	const upper = dev.master;
	if (upper !== null) {
		if (upper.ifindex === ifindex) return 0;
		const del = upper.netdev_ops.ndo_del_slave;
		if (del === null) return -EOPNOTSUPP;
		const err = del(upper, dev);
		if (err < 0) return err;
	}
	if (ifindex === 0) return 0;
	const master = __dev_get_by_index(dev.net, ifindex);
	if (master === null) return -EINVAL;
	const add = master.netdev_ops.ndo_add_slave;
	return add === null ? -EOPNOTSUPP : add(master, dev, extack);
}

function set_operstate(dev: net_device, transition: number): void {
	// Only a link that is up below may be made up, dormant or testing by its manager (RFC 2863 3.1.12).
	let operstate = dev.operstate;
	switch (transition) {
		case 6:
			if (operstate === 5 || operstate === 4 || operstate === 0) operstate = 6;
			break;
		case 4:
			if (operstate === 6 || operstate === 0) operstate = 4;
			break;
		case 5:
			if (operstate === 6 || operstate === 0) operstate = 5;
			break;
	}
	if (dev.operstate !== operstate) {
		dev.operstate = operstate;
		netdev_state_change(dev);
	}
}

const DO_SETLINK_MODIFIED = 1;
const DO_SETLINK_NOTIFY = 3;

/** Puts into effect all that a message says of a link; `status` collects what has to be told. Return: 0 or -errno. */
class setlink {
	status = 0;
	dev: net_device;
	tb: nlattr_table;
	extack: netlink_ext_ack | null;

	constructor(dev: net_device, tb: nlattr_table, extack: netlink_ext_ack | null, status: number) {
		this.dev = dev;
		this.tb = tb;
		this.extack = extack;
		this.status = status;
	}

	run(tgt_net: net, ifm: ifinfomsg): number {
		const { dev, tb, extack } = this;
		let err = validate_linkmsg(dev, tb, extack);
		if (err < 0) return err;
		const ifname = tb[IFLA_IFNAME] === null ? '' : nla_get_string(tb[IFLA_IFNAME]);
		if (tgt_net !== dev.net) {
			const idx = tb[IFLA_NEW_IFINDEX] === null ? 0 : nla_get_s32(tb[IFLA_NEW_IFINDEX]);
			err = dev_change_net_namespace(dev, tgt_net, ifname === '' ? null : ifname, idx, extack);
			if (err < 0) return err;
			this.status |= DO_SETLINK_MODIFIED;
		}
		if (tb[IFLA_MAP] !== null) return -EOPNOTSUPP;
		if (tb[IFLA_ADDRESS] !== null) {
			err = dev_set_mac_address(dev, nla_memdup(tb[IFLA_ADDRESS]), extack);
			if (err < 0) return err;
			this.status |= DO_SETLINK_MODIFIED;
		}
		if (tb[IFLA_MTU] !== null) {
			err = dev_set_mtu_ext(dev, nla_get_u32(tb[IFLA_MTU]) | 0, extack);
			if (err < 0) return err;
			this.status |= DO_SETLINK_MODIFIED;
		}
		if (tb[IFLA_GROUP] !== null) {
			dev_set_group(dev, nla_get_u32(tb[IFLA_GROUP]));
			this.status |= DO_SETLINK_NOTIFY;
		}
		// A name here renames only when the link was named by its index.
		if (ifm.index > 0 && ifname !== '') {
			err = dev_change_name(dev, ifname);
			if (err < 0) return err;
			this.status |= DO_SETLINK_MODIFIED;
		}
		if (tb[IFLA_IFALIAS] !== null) {
			err = dev_set_alias(dev, nla_get_string(tb[IFLA_IFALIAS]));
			if (err < 0) return err;
			this.status |= DO_SETLINK_NOTIFY;
		}
		if (tb[IFLA_BROADCAST] !== null) {
			dev.broadcast = nla_memdup(tb[IFLA_BROADCAST]).slice(0, dev.addr_len);
			call_netdevice_notifiers(NETDEV_CHANGEADDR, dev);
		}
		if (tb[IFLA_MASTER] !== null) {
			err = do_set_master(dev, nla_get_u32(tb[IFLA_MASTER]), extack);
			if (err < 0) return err;
			this.status |= DO_SETLINK_MODIFIED;
		}
		if (ifm.flags !== 0 || ifm.change !== 0) {
			err = dev_change_flags(dev, rtnl_dev_combine_flags(dev, ifm), extack);
			if (err < 0) return err;
		}
		return this.rest();
	}

	private rest(): number {
		const { dev, tb, extack } = this;
		if (tb[IFLA_CARRIER] !== null) {
			const err = dev_change_carrier(dev, nla_get_u8(tb[IFLA_CARRIER]) !== 0);
			if (err < 0) return err;
			this.status |= DO_SETLINK_MODIFIED;
		}
		if (tb[IFLA_TXQLEN] !== null) {
			const err = dev_change_tx_queue_len(dev, nla_get_u32(tb[IFLA_TXQLEN]));
			if (err < 0) return err;
			this.status |= DO_SETLINK_MODIFIED;
		}
		if (tb[IFLA_GSO_MAX_SIZE] !== null) {
			dev.gso_max_size = nla_get_u32(tb[IFLA_GSO_MAX_SIZE]);
			this.status |= DO_SETLINK_MODIFIED;
		}
		if (tb[IFLA_GSO_MAX_SEGS] !== null) {
			dev.gso_max_segs = nla_get_u32(tb[IFLA_GSO_MAX_SEGS]);
			this.status |= DO_SETLINK_MODIFIED;
		}
		if (tb[IFLA_OPERSTATE] !== null) set_operstate(dev, nla_get_u8(tb[IFLA_OPERSTATE]));
		if (tb[IFLA_LINKMODE] !== null) {
			const mode = nla_get_u8(tb[IFLA_LINKMODE]);
			if (mode !== dev.link_mode) this.status |= DO_SETLINK_NOTIFY;
			dev.link_mode = mode;
		}
		if (tb[IFLA_AF_SPEC] !== null) {
			for (const af of nla_nested(tb[IFLA_AF_SPEC])) {
				const ops = dev.net.machine.rtnl.af_ops.find((o) => o.family === af.type)!;
				const err = ops.set_link_af!(dev, af, extack);
				if (err < 0) return err;
				this.status |= DO_SETLINK_NOTIFY;
			}
		}
		if (tb[IFLA_PROTO_DOWN] !== null) {
			NL_SET_ERR_MSG(extack, 'Protodown not supported by device');
			return -EOPNOTSUPP;
		}
		return 0;
	}
}

function do_setlink(
	dev: net_device,
	tgt_net: net,
	ifm: ifinfomsg,
	extack: netlink_ext_ack | null,
	tb: nlattr_table,
	status: number,
): number {
	const s = new setlink(dev, tb, extack, status);
	const err = s.run(tgt_net, ifm);
	if ((s.status & DO_SETLINK_MODIFIED) !== 0) {
		if ((s.status & DO_SETLINK_NOTIFY) === DO_SETLINK_NOTIFY) netdev_state_change(dev);
		if (err < 0 && net_ratelimit(dev.net.machine)) {
			const text =
				`A link change request failed with some changes committed already. Interface ${dev.name} may have been left ` +
				'with an inconsistent configuration, please check.';
			printk(dev.net.machine, KERN_WARNING, text);
		}
	}
	return err;
}

function rtnl_setlink(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const tb: nlattr_table = [];
	let err = nlmsg_parse_deprecated(nlh, IFINFOMSG, tb, IFLA_MAX, ifla_policy, extack);
	if (err < 0) return err;
	err = rtnl_ensure_unique_netns(tb, extack, false);
	if (err < 0) return err;
	const tgt_net = rtnl_link_get_net(skb, tb);
	if (typeof tgt_net === 'number') return tgt_net;
	const ifm = new ifinfomsg(nlh);
	let dev: net_device | null;
	if (ifm.index > 0) dev = __dev_get_by_index(skb.net, ifm.index);
	else if (tb[IFLA_IFNAME] !== null || tb[IFLA_ALT_IFNAME] !== null) dev = rtnl_dev_get(skb.net, tb);
	else return -EINVAL;
	return dev === null ? -ENODEV : do_setlink(dev, tgt_net, ifm, extack, tb, 0);
}

// ---- making ----

/** A bare link of a kind, with what the message says of it. Return: it or -errno. */
export function rtnl_create_link(
	net: net,
	ifname: string,
	ops: rtnl_link_ops,
	tb: nlattr_table,
	extack: netlink_ext_ack | null,
): net_device | number {
	const txq = tb[IFLA_NUM_TX_QUEUES];
	const rxq = tb[IFLA_NUM_RX_QUEUES];
	const num_tx = txq !== null ? nla_get_u32(txq) : (ops.get_num_tx_queues?.() ?? 1);
	const num_rx = rxq !== null ? nla_get_u32(rxq) : (ops.get_num_rx_queues?.() ?? 1);
	if (num_tx < 1 || num_tx > 4096) {
		NL_SET_ERR_MSG(extack, 'Invalid number of transmit queues');
		return -EINVAL;
	}
	if (num_rx < 1 || num_rx > 4096) {
		NL_SET_ERR_MSG(extack, 'Invalid number of receive queues');
		return -EINVAL;
	}
	const dev = new net_device(ifname, net, new net_device_ops());
	dev.num_tx_queues = dev.real_num_tx_queues = num_tx;
	dev.num_rx_queues = dev.real_num_rx_queues = num_rx;
	dev.kind = ops.kind;
	dev.rtnl_link_initializing = true;
	ops.setup(dev);
	let err = validate_linkmsg(dev, tb, extack);
	if (err < 0) return err;
	if (tb[IFLA_MTU] !== null) {
		const mtu = nla_get_u32(tb[IFLA_MTU]) | 0;
		err = dev_validate_mtu(dev, mtu, extack);
		if (err < 0) return err;
		dev.mtu = mtu;
	}
	if (tb[IFLA_ADDRESS] !== null) {
		dev.dev_addr = nla_memdup(tb[IFLA_ADDRESS]);
		dev.addr_assign_type = 3; // NET_ADDR_SET
	}
	if (tb[IFLA_BROADCAST] !== null) dev.broadcast = nla_memdup(tb[IFLA_BROADCAST]);
	if (tb[IFLA_TXQLEN] !== null) dev.tx_queue_len = nla_get_u32(tb[IFLA_TXQLEN]);
	if (tb[IFLA_OPERSTATE] !== null) dev.operstate = nla_get_u8(tb[IFLA_OPERSTATE]);
	if (tb[IFLA_LINKMODE] !== null) dev.link_mode = nla_get_u8(tb[IFLA_LINKMODE]);
	if (tb[IFLA_GROUP] !== null) dev_set_group(dev, nla_get_u32(tb[IFLA_GROUP]));
	if (tb[IFLA_GSO_MAX_SIZE] !== null) dev.gso_max_size = nla_get_u32(tb[IFLA_GSO_MAX_SIZE]);
	if (tb[IFLA_GSO_MAX_SEGS] !== null) dev.gso_max_segs = nla_get_u32(tb[IFLA_GSO_MAX_SEGS]);
	return dev;
}

/** Sets a new link's flags and tells of it. */
export function rtnl_configure_link(dev: net_device, ifm: { flags: number; change: number } | null): number {
	const old_flags = dev.flags;
	if (ifm !== null && (ifm.flags !== 0 || ifm.change !== 0)) {
		const flags =
			ifm.change === 0 ? ifm.flags : ((ifm.flags & ifm.change) | (rtnl_dev_get_flags(dev) & ~ifm.change)) >>> 0;
		const err = __dev_change_flags(dev, flags, null);
		if (err < 0) return err;
	}
	const fresh = dev.rtnl_link_initializing;
	dev.rtnl_link_initializing = false;
	__dev_notify_flags(dev, old_flags, fresh ? 0xffffffff : old_flags ^ dev.flags);
	return 0;
}

/** Attributes of the peer inside IFLA_INFO_DATA (VETH_INFO_PEER): struct ifinfomsg, then IFLA_*. Return: 0 or -errno. */
export function rtnl_nla_parse_ifinfomsg(tb: nlattr_table, nla_peer: nlattr, extack: netlink_ext_ack | null): number {
	if (nla_peer.len < IFINFOMSG) return -EINVAL;
	const ifindex = get_unaligned_le32(nla_peer.buf, nla_peer.off + 4) | 0;
	if (ifindex < 0) {
		NL_SET_ERR_MSG(extack, "ifindex can't be negative");
		return -EINVAL;
	}
	const end = nla_peer.off + nla_peer.len;
	return __nla_parse(
		tb,
		IFLA_MAX,
		nla_peer.buf,
		nla_peer.off + IFINFOMSG,
		end,
		ifla_policy,
		NL_VALIDATE_LIBERAL,
		extack,
	);
}

/** Where the peer goes; null: nowhere in particular. */
function rtnl_get_peer_net(
	skb: netlink_skb,
	ops: rtnl_link_ops,
	data: nlattr_table | null,
	extack: netlink_ext_ack,
): net | null | number {
	const peer = data?.[ops.peer_type] ?? null;
	if (peer === null) return null;
	const tb: nlattr_table = [];
	let err = rtnl_nla_parse_ifinfomsg(tb, peer, extack);
	if (err < 0) return err;
	err = ops.validate?.(tb, null, extack) ?? 0;
	if (err < 0) return err;
	err = rtnl_ensure_unique_netns(tb, extack, false);
	if (err < 0) return err;
	if (tb[IFLA_NET_NS_PID] === null && tb[IFLA_NET_NS_FD] === null && tb[IFLA_TARGET_NETNSID] === null) return null;
	return rtnl_link_get_net(skb, tb);
}

/** What rtnl_newlink found in the message. */
interface newlink_request {
	tb: nlattr_table;
	linkinfo: nlattr_table;
	kind: string;
	ops: rtnl_link_ops | null;
	data: nlattr_table | null;
	tgt_net: net;
	link_net: net | null;
	peer_net: net | null;
}

function rtnl_changelink(
	nlh: nlmsghdr,
	ifm: ifinfomsg,
	dev: net_device,
	req: newlink_request,
	extack: netlink_ext_ack,
): number {
	if ((nlh.nlmsg_flags & NLM_F_EXCL) !== 0) return -EEXIST;
	if ((nlh.nlmsg_flags & NLM_F_REPLACE) !== 0) return -EOPNOTSUPP;
	let status = 0;
	if (req.linkinfo[IFLA_INFO_DATA] !== null) {
		const ops = req.ops;
		if (ops === null || ops !== dev_rtnl_link_ops(dev) || ops.changelink === null) return -EOPNOTSUPP;
		const err = ops.changelink(dev, req.tb, req.data, extack);
		if (err < 0) return err;
		status |= DO_SETLINK_NOTIFY;
	}
	return do_setlink(dev, req.tgt_net, ifm, extack, req.tb, status);
}

function rtnl_newlink_create(
	skb: netlink_skb,
	ifm: ifinfomsg,
	ops: rtnl_link_ops,
	req: newlink_request,
	extack: netlink_ext_ack,
): number {
	const { tb, tgt_net, link_net, peer_net } = req;
	const ifname = tb[IFLA_IFNAME] === null ? `${ops.kind}%d` : nla_get_string(tb[IFLA_IFNAME]);
	const dev = rtnl_create_link(tgt_net, ifname, ops, tb, extack);
	if (typeof dev === 'number') return dev;
	dev.ifindex = ifm.index;
	const params = { src_net: skb.net, link_net, peer_net, tb, data: req.data };
	let err = ops.newlink === null ? register_netdevice(dev) : ops.newlink(dev, params, extack);
	if (err < 0) return err;
	err = rtnl_configure_link(dev, ifm);
	if (err >= 0 && tb[IFLA_MASTER] !== null) err = do_set_master(dev, nla_get_u32(tb[IFLA_MASTER]), extack);
	if (err < 0) ops.dellink?.(dev);
	return err;
}

function rtnl_group_changelink(
	net: net,
	group: number,
	ifm: ifinfomsg,
	req: newlink_request,
	extack: netlink_ext_ack,
): number {
	for (const dev of net.dev_base_head.slice()) {
		if (dev.group !== group) continue;
		const err = do_setlink(dev, req.tgt_net, ifm, extack, req.tb, 0);
		if (err < 0) return err;
	}
	return 0;
}

function __rtnl_newlink(skb: netlink_skb, nlh: nlmsghdr, req: newlink_request, extack: netlink_ext_ack): number {
	const ifm = new ifinfomsg(nlh);
	const { tb, tgt_net } = req;
	// A link that moves is looked for where the asker is.
	const net = (nlh.nlmsg_flags & NLM_F_CREATE) === 0 ? skb.net : tgt_net;
	let dev: net_device | null = null;
	let link_specified = true;
	if (ifm.index > 0) dev = __dev_get_by_index(net, ifm.index);
	else if (ifm.index < 0) {
		NL_SET_ERR_MSG(extack, "ifindex can't be negative");
		return -EINVAL;
	} else if (tb[IFLA_IFNAME] !== null || tb[IFLA_ALT_IFNAME] !== null) dev = rtnl_dev_get(net, tb);
	else link_specified = false;
	if (dev !== null) return rtnl_changelink(nlh, ifm, dev, req, extack);
	if ((nlh.nlmsg_flags & NLM_F_CREATE) === 0) {
		if (!link_specified && tb[IFLA_GROUP] !== null) {
			return rtnl_group_changelink(skb.net, nla_get_u32(tb[IFLA_GROUP]), ifm, req, extack);
		}
		return -ENODEV;
	}
	if (tb[IFLA_MAP] !== null || tb[IFLA_PROTINFO] !== null) return -EOPNOTSUPP;
	if (req.ops === null) {
		NL_SET_ERR_MSG(extack, 'Unknown device type');
		return -EOPNOTSUPP;
	}
	return rtnl_newlink_create(skb, ifm, req.ops, req, extack);
}

function rtnl_newlink(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const net = skb.net;
	const tb: nlattr_table = [];
	let err = nlmsg_parse_deprecated(nlh, IFINFOMSG, tb, IFLA_MAX, ifla_policy, extack);
	if (err < 0) return err;
	err = rtnl_ensure_unique_netns(tb, extack, false);
	if (err < 0) return err;
	const linkinfo: nlattr_table = new Array(IFLA_INFO_MAX + 1).fill(null);
	if (tb[IFLA_LINKINFO] !== null) {
		err = nla_parse_nested_deprecated(linkinfo, IFLA_INFO_MAX, tb[IFLA_LINKINFO], ifla_info_policy, extack);
		if (err < 0) return err;
	}
	const kind = linkinfo[IFLA_INFO_KIND] === null ? '' : nla_get_string(linkinfo[IFLA_INFO_KIND]);
	const ops = kind === '' ? null : rtnl_link_ops_get(net.machine, kind);
	let data: nlattr_table | null = null;
	let peer_net: net | null = null;
	if (ops !== null) {
		if (ops.maxtype > 0 && linkinfo[IFLA_INFO_DATA] !== null) {
			data = [];
			err = nla_parse_nested_deprecated(data, ops.maxtype, linkinfo[IFLA_INFO_DATA], ops.policy, extack);
			if (err < 0) return err;
		}
		err = ops.validate?.(tb, data, extack) ?? 0;
		if (err < 0) return err;
		if (ops.peer_type !== 0) {
			const p = rtnl_get_peer_net(skb, ops, data, extack);
			if (typeof p === 'number') return p;
			peer_net = p;
		}
	}
	const tgt_net = rtnl_link_get_net(skb, tb);
	if (typeof tgt_net === 'number') return tgt_net;
	let link_net: net | null = null;
	if (tb[IFLA_LINK_NETNSID] !== null) {
		link_net = get_net_ns_by_id(net, nla_get_s32(tb[IFLA_LINK_NETNSID]));
		if (link_net === null) {
			NL_SET_ERR_MSG(extack, 'Unknown network namespace id');
			return -EINVAL;
		}
	}
	return __rtnl_newlink(skb, nlh, { tb, linkinfo, kind, ops, data, tgt_net, link_net, peer_net }, extack);
}

// ---- deleting ----

function rtnl_delete_link(dev: net_device): number {
	const ops = dev_rtnl_link_ops(dev);
	if (ops === null || ops.dellink === null) return -EOPNOTSUPP;
	ops.dellink(dev);
	return 0;
}

function rtnl_group_dellink(net: net, group: number): number {
	// The default group holds all links: it is never deleted as one.
	if (group === 0) return -EPERM;
	const found = net.dev_base_head.filter((d) => d.group === group);
	if (found.length === 0) return -ENODEV;
	for (const d of found) if ((dev_rtnl_link_ops(d)?.dellink ?? null) === null) return -EOPNOTSUPP;
	// The peer of a veth goes with it, and may be in the group too.
	for (const d of found) if (net.dev_index_head.get(d.ifindex) === d) rtnl_delete_link(d);
	return 0;
}

function rtnl_dellink(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const tb: nlattr_table = [];
	let err = nlmsg_parse_deprecated(nlh, IFINFOMSG, tb, IFLA_MAX, ifla_policy, extack);
	if (err < 0) return err;
	err = rtnl_ensure_unique_netns(tb, extack, true);
	if (err < 0) return err;
	const tgt_net = rtnl_link_get_net(skb, tb);
	if (typeof tgt_net === 'number') return tgt_net;
	const ifm = new ifinfomsg(nlh);
	let dev: net_device | null;
	if (ifm.index > 0) dev = __dev_get_by_index(tgt_net, ifm.index);
	else if (tb[IFLA_IFNAME] !== null || tb[IFLA_ALT_IFNAME] !== null) dev = rtnl_dev_get(tgt_net, tb);
	else if (tb[IFLA_GROUP] !== null) return rtnl_group_dellink(tgt_net, nla_get_u32(tb[IFLA_GROUP]));
	else return -EINVAL;
	return dev === null ? -ENODEV : rtnl_delete_link(dev);
}

// ---- getting ----

const GETLINK_ATTRS = [IFLA_IFNAME, IFLA_ALT_IFNAME, IFLA_EXT_MASK, IFLA_TARGET_NETNSID];

function rtnl_valid_getlink_req(skb: netlink_skb, nlh: nlmsghdr, tb: nlattr_table, extack: netlink_ext_ack): number {
	if (nlmsg_len(nlh) < IFINFOMSG) {
		NL_SET_ERR_MSG(extack, 'Invalid header for get link');
		return -EINVAL;
	}
	if (!netlink_strict_get_check(skb)) {
		return nlmsg_parse_deprecated(nlh, IFINFOMSG, tb, IFLA_MAX, ifla_policy, extack);
	}
	const ifm = new ifinfomsg(nlh);
	if (ifm.pad !== 0 || ifm.type !== 0 || ifm.flags !== 0 || ifm.change !== 0) {
		NL_SET_ERR_MSG(extack, 'Invalid values in header for get link request');
		return -EINVAL;
	}
	const err = nlmsg_parse_deprecated_strict(nlh, IFINFOMSG, tb, IFLA_MAX, ifla_policy, extack);
	if (err < 0) return err;
	for (let i = 0; i <= IFLA_MAX; i++) {
		if (tb[i] === null || GETLINK_ATTRS.includes(i)) continue;
		NL_SET_ERR_MSG(extack, 'Unsupported attribute in get link request');
		return -EINVAL;
	}
	return 0;
}

function rtnl_getlink(skb: netlink_skb, nlh: nlmsghdr, extack: netlink_ext_ack): number {
	const tb: nlattr_table = [];
	let err = rtnl_valid_getlink_req(skb, nlh, tb, extack);
	if (err < 0) return err;
	err = rtnl_ensure_unique_netns(tb, extack, true);
	if (err < 0) return err;
	let tgt_net = skb.net;
	let netnsid = -1;
	if (tb[IFLA_TARGET_NETNSID] !== null) {
		netnsid = nla_get_s32(tb[IFLA_TARGET_NETNSID]);
		const n = get_net_ns_by_id(skb.net, netnsid);
		if (n === null) return -EINVAL;
		tgt_net = n;
	}
	const mask = tb[IFLA_EXT_MASK] === null ? 0 : nla_get_u32(tb[IFLA_EXT_MASK]);
	const ifm = new ifinfomsg(nlh);
	let dev: net_device | null;
	if (ifm.index > 0) dev = __dev_get_by_index(tgt_net, ifm.index);
	else if (tb[IFLA_IFNAME] !== null || tb[IFLA_ALT_IFNAME] !== null) dev = rtnl_dev_get(tgt_net, tb);
	else return -EINVAL;
	if (dev === null) return -ENODEV;
	const msg = nlmsg_new(skb.net);
	rtnl_fill_ifinfo(msg, dev, RTM_NEWLINK, skb.portid, nlh.nlmsg_seq, 0, 0, mask, 0, netnsid, -1, 0);
	return rtnl_unicast(msg, skb.net, skb.portid);
}

/** What a dump shows; kept over its parts in cb.ctx. */
interface link_dump {
	net: net;
	netnsid: number;
	mask: number;
	master: number;
	kind: string;
}

function rtnl_dump_start(cb: netlink_callback): link_dump | number {
	const nlh = cb.nlh;
	const tb: nlattr_table = [];
	const d: link_dump = { net: cb.net, netnsid: -1, mask: 0, master: 0, kind: '' };
	if (cb.strict_check) {
		if (nlmsg_len(nlh) < IFINFOMSG) {
			NL_SET_ERR_MSG(cb.extack, 'Invalid header for link dump');
			return -EINVAL;
		}
		const ifm = new ifinfomsg(nlh);
		if (ifm.pad !== 0 || ifm.type !== 0 || ifm.flags !== 0 || ifm.change !== 0) {
			NL_SET_ERR_MSG(cb.extack, 'Invalid values in header for link dump request');
			return -EINVAL;
		}
		if (ifm.index !== 0) {
			NL_SET_ERR_MSG(cb.extack, 'Filter by device index not supported for link dumps');
			return -EINVAL;
		}
		const err = nlmsg_parse_deprecated_strict(nlh, IFINFOMSG, tb, IFLA_MAX, ifla_policy, cb.extack);
		if (err < 0) return err;
	} else {
		// Old askers send one byte of header: then there are no attributes worth reading.
		const hdrlen = nlmsg_len(nlh) < IFINFOMSG ? 1 : IFINFOMSG;
		const start = Math.min(nlmsg_attrdata(nlh, hdrlen), nlh.end);
		if (nlh.nlmsg_len < NLMSG_HDRLEN + hdrlen) return d;
		const err = __nla_parse(tb, IFLA_MAX, nlh.buf, start, nlh.end, ifla_policy, NL_VALIDATE_LIBERAL, cb.extack);
		if (err < 0) return d;
	}
	for (let i = 0; i <= IFLA_MAX; i++) {
		const a = tb[i];
		if (a === null) continue;
		if (i === IFLA_TARGET_NETNSID) {
			d.netnsid = nla_get_s32(a);
			const n = get_net_ns_by_id(cb.net, d.netnsid);
			if (n === null) {
				NL_SET_ERR_MSG(cb.extack, 'Invalid target network namespace id');
				return -EINVAL;
			}
			d.net = n;
		} else if (i === IFLA_EXT_MASK) d.mask = nla_get_u32(a);
		else if (i === IFLA_MASTER) d.master = nla_get_u32(a);
		else if (i === IFLA_LINKINFO) {
			const info: nlattr_table = [];
			if (nla_parse_nested_deprecated(info, IFLA_INFO_MAX, a, ifla_info_policy, null) < 0) continue;
			const kind = info[IFLA_INFO_KIND] === null ? '' : nla_get_string(info[IFLA_INFO_KIND]);
			if (rtnl_link_ops_get(cb.net.machine, kind) !== null) d.kind = kind;
		} else if (cb.strict_check) {
			NL_SET_ERR_MSG_ATTR(cb.extack, a, 'Unsupported attribute in link dump request');
			return -EINVAL;
		}
	}
	return d;
}

function rtnl_dump_ifinfo(skb: netlink_skb, cb: netlink_callback): number {
	if (cb.ctx === null) {
		const d = rtnl_dump_start(cb);
		if (typeof d === 'number') return d;
		cb.ctx = d;
	}
	const d = cb.ctx as link_dump;
	let flags = NLM_F_MULTI;
	if (d.master !== 0 || d.kind !== '') flags |= NLM_F_DUMP_FILTERED;
	cb.seq = d.net.dev_base_seq;
	// args[0]: the last index shown.
	const devs = [...d.net.dev_index_head.values()].filter((x) => x.ifindex > cb.args[0]);
	devs.sort((a, b) => a.ifindex - b.ifindex);
	for (const dev of devs) {
		if (d.master !== 0 && (dev.master === null || dev.master.ifindex !== d.master)) continue;
		if (d.kind !== '' && dev.kind !== d.kind) continue;
		const at = skb.len;
		const { portid } = cb.skb;
		const seq = cb.nlh.nlmsg_seq;
		if (rtnl_fill_ifinfo(skb, dev, RTM_NEWLINK, portid, seq, 0, flags, d.mask, 0, d.netnsid, -1, 0) < 0) {
			return -EMSGSIZE;
		}
		nl_dump_check_consistent(cb, skb, at);
		cb.args[0] = dev.ifindex;
	}
	return 0;
}

export function rtnl_link_init(machine: Machine): void {
	rtnl_register(machine, 0, RTM_NEWLINK, rtnl_newlink, null);
	rtnl_register(machine, 0, RTM_DELLINK, rtnl_dellink, null);
	rtnl_register(machine, 0, RTM_SETLINK, rtnl_setlink, null);
	rtnl_register(machine, 0, RTM_GETLINK, rtnl_getlink, rtnl_dump_ifinfo, RTNL_FLAG_DUMP_SPLIT_NLM_DONE);
}
