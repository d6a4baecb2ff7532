/*
 * net/ipv4/devinet_sysctl.ts: net.ipv4.conf.{all,default,DEV}.* and ip_forward.   Linux: net/ipv4/devinet.c
 * Writing `default` reaches every device whose own value was never set; forwarding for `all` reaches all devices.
 * Not here yet: RTM_NEWNETCONF messages.
 */
import {
	ctl_int,
	type ctl_table,
	proc_dointvec_minmax,
	register_sysctl,
	register_sysctl_dir,
	unregister_sysctl,
} from '../../kernel/sysctl.ts';
import {
	IPV4_DEVCONF_ACCEPT_LOCAL,
	IPV4_DEVCONF_ACCEPT_REDIRECTS,
	IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE,
	IPV4_DEVCONF_ARP_ACCEPT,
	IPV4_DEVCONF_ARP_ANNOUNCE,
	IPV4_DEVCONF_ARP_EVICT_NOCARRIER,
	IPV4_DEVCONF_ARP_IGNORE,
	IPV4_DEVCONF_ARP_NOTIFY,
	IPV4_DEVCONF_ARPFILTER,
	IPV4_DEVCONF_BC_FORWARDING,
	IPV4_DEVCONF_BOOTP_RELAY,
	IPV4_DEVCONF_DROP_GRATUITOUS_ARP,
	IPV4_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST,
	IPV4_DEVCONF_FORCE_IGMP_VERSION,
	IPV4_DEVCONF_FORWARDING,
	IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL,
	IPV4_DEVCONF_IGMPV3_UNSOLICITED_REPORT_INTERVAL,
	IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN,
	IPV4_DEVCONF_LOG_MARTIANS,
	IPV4_DEVCONF_MC_FORWARDING,
	IPV4_DEVCONF_MEDIUM_ID,
	IPV4_DEVCONF_NOPOLICY,
	IPV4_DEVCONF_NOXFRM,
	IPV4_DEVCONF_PROMOTE_SECONDARIES,
	IPV4_DEVCONF_PROXY_ARP,
	IPV4_DEVCONF_PROXY_ARP_PVLAN,
	IPV4_DEVCONF_ROUTE_LOCALNET,
	IPV4_DEVCONF_RP_FILTER,
	IPV4_DEVCONF_SECURE_REDIRECTS,
	IPV4_DEVCONF_SEND_REDIRECTS,
	IPV4_DEVCONF_SHARED_MEDIA,
	IPV4_DEVCONF_SRC_VMARK,
	IPV4_DEVCONF_TAG,
} from '../../uapi/linux/ip.ts';
import { dev_disable_lro } from '../core/dev.ts';
import type { net } from '../core/net_namespace.ts';
import { IN_DEV_CONF_SET, type in_device, type ipv4_devconf } from './inetdevice.ts';
import { rt_cache_flush } from './route.ts';

const NAMES: readonly (readonly [string, number])[] = [
	['mc_forwarding', IPV4_DEVCONF_MC_FORWARDING],
	['bc_forwarding', IPV4_DEVCONF_BC_FORWARDING],
	['accept_redirects', IPV4_DEVCONF_ACCEPT_REDIRECTS],
	['secure_redirects', IPV4_DEVCONF_SECURE_REDIRECTS],
	['shared_media', IPV4_DEVCONF_SHARED_MEDIA],
	['rp_filter', IPV4_DEVCONF_RP_FILTER],
	['send_redirects', IPV4_DEVCONF_SEND_REDIRECTS],
	['accept_source_route', IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE],
	['accept_local', IPV4_DEVCONF_ACCEPT_LOCAL],
	['src_valid_mark', IPV4_DEVCONF_SRC_VMARK],
	['proxy_arp', IPV4_DEVCONF_PROXY_ARP],
	['medium_id', IPV4_DEVCONF_MEDIUM_ID],
	['bootp_relay', IPV4_DEVCONF_BOOTP_RELAY],
	['log_martians', IPV4_DEVCONF_LOG_MARTIANS],
	['tag', IPV4_DEVCONF_TAG],
	['arp_filter', IPV4_DEVCONF_ARPFILTER],
	['arp_announce', IPV4_DEVCONF_ARP_ANNOUNCE],
	['arp_ignore', IPV4_DEVCONF_ARP_IGNORE],
	['arp_accept', IPV4_DEVCONF_ARP_ACCEPT],
	['arp_notify', IPV4_DEVCONF_ARP_NOTIFY],
	['arp_evict_nocarrier', IPV4_DEVCONF_ARP_EVICT_NOCARRIER],
	['proxy_arp_pvlan', IPV4_DEVCONF_PROXY_ARP_PVLAN],
	['force_igmp_version', IPV4_DEVCONF_FORCE_IGMP_VERSION],
	['igmpv2_unsolicited_report_interval', IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL],
	['igmpv3_unsolicited_report_interval', IPV4_DEVCONF_IGMPV3_UNSOLICITED_REPORT_INTERVAL],
	['ignore_routes_with_linkdown', IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN],
	['drop_gratuitous_arp', IPV4_DEVCONF_DROP_GRATUITOUS_ARP],
];

/** Those whose change voids cached routes; they know no `default` that devices follow. */
const FLUSHING: readonly (readonly [string, number])[] = [
	['disable_xfrm', IPV4_DEVCONF_NOXFRM],
	['disable_policy', IPV4_DEVCONF_NOPOLICY],
	['promote_secondaries', IPV4_DEVCONF_PROMOTE_SECONDARIES],
	['route_localnet', IPV4_DEVCONF_ROUTE_LOCALNET],
	['drop_unicast_in_l2_multicast', IPV4_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST],
];

/** ctl_table.extra of these: whose setting, and which. */
interface devinet_extra {
	cnf: ipv4_devconf;
	attr: number;
}

function devinet_conf_read(table: ctl_table): string {
	const e = table.extra as devinet_extra;
	return String(e.cnf.data[e.attr]);
}

/** Reads the number written. Return: whether it was one; then *box.v has it. */
function parse(table: ctl_table, net: net, text: string, old: number): number | { v: number } {
	const box = { v: old };
	const err = proc_dointvec_minmax({ ...table, data: box, field: 'v' }, net, text);
	return err < 0 ? err : box;
}

function devinet_copy_dflt_conf(net: net, attr: number): void {
	for (const dev of net.dev_base_head) {
		const in_dev = dev.ip_ptr;
		if (in_dev !== null && in_dev.cnf.state[attr] === 0) in_dev.cnf.data[attr] = net.ipv4.devconf_dflt.data[attr];
	}
}

function devinet_conf_proc(table: ctl_table, net: net, text: string): number {
	const e = table.extra as devinet_extra;
	const old = e.cnf.data[e.attr];
	const r = parse(table, net, text, old);
	if (typeof r === 'number') return r;
	e.cnf.data[e.attr] = r.v;
	e.cnf.state[e.attr] = 1;
	if (e.cnf === net.ipv4.devconf_dflt) devinet_copy_dflt_conf(net, e.attr);
	if (e.attr === IPV4_DEVCONF_ACCEPT_LOCAL || e.attr === IPV4_DEVCONF_ROUTE_LOCALNET) {
		if (old !== 0 && r.v === 0) rt_cache_flush(net);
	} else if (e.attr === IPV4_DEVCONF_BC_FORWARDING && r.v !== old) rt_cache_flush(net);
	return 0;
}

function ipv4_doint_and_flush(table: ctl_table, net: net, text: string): number {
	const e = table.extra as devinet_extra;
	const old = e.cnf.data[e.attr];
	const r = parse(table, net, text, old);
	if (typeof r === 'number') return r;
	e.cnf.data[e.attr] = r.v;
	if (r.v !== old) rt_cache_flush(net);
	return 0;
}

/** Forwarding for all: a router takes no redirects, a host does (RFC 1812 5.2.7.2). */
function inet_forward_change(net: net): void {
	const all = net.ipv4.devconf_all.data;
	const on = all[IPV4_DEVCONF_FORWARDING];
	all[IPV4_DEVCONF_ACCEPT_REDIRECTS] = on !== 0 ? 0 : 1;
	net.ipv4.devconf_dflt.data[IPV4_DEVCONF_FORWARDING] = on;
	for (const dev of net.dev_base_head) {
		if (on !== 0) dev_disable_lro(dev);
		if (dev.ip_ptr !== null) IN_DEV_CONF_SET(dev.ip_ptr, IPV4_DEVCONF_FORWARDING, on);
	}
}

function devinet_sysctl_forward(table: ctl_table, net: net, text: string): number {
	const e = table.extra as devinet_extra;
	const old = e.cnf.data[e.attr];
	const r = parse(table, net, text, old);
	if (typeof r === 'number') return r;
	e.cnf.data[e.attr] = r.v;
	if (r.v === old) return 0;
	if (e.cnf === net.ipv4.devconf_dflt) return 0;
	if (e.cnf === net.ipv4.devconf_all) inet_forward_change(net);
	rt_cache_flush(net);
	return 0;
}

function entry(path: string, cnf: ipv4_devconf, attr: number, write: ctl_table['write'], mode = 0o644): ctl_table {
	const t = ctl_int(path, {}, '');
	t.mode = mode;
	t.read = devinet_conf_read;
	t.write = write;
	t.extra = { cnf, attr } satisfies devinet_extra;
	return t;
}

function make_conf({ dir, cnf }: { dir: string; cnf: ipv4_devconf }): ctl_table[] {
	const tables = [entry(`${dir}forwarding`, cnf, IPV4_DEVCONF_FORWARDING, devinet_sysctl_forward)];
	for (const [n, attr] of NAMES) {
		tables.push(entry(dir + n, cnf, attr, devinet_conf_proc, attr === IPV4_DEVCONF_MC_FORWARDING ? 0o444 : 0o644));
	}
	for (const [n, attr] of FLUSHING) tables.push(entry(dir + n, cnf, attr, ipv4_doint_and_flush));
	return tables;
}

function register_conf(net: net, name: string, cnf: ipv4_devconf): void {
	const dir = `net/ipv4/conf/${name}`;
	register_sysctl_dir(net.sysctls, dir, make_conf, { dir: `${dir}/`, cnf });
}

export function devinet_sysctl_register(in_dev: in_device): void {
	const name = in_dev.dev.name;
	// A device of such a name would hide those two.
	if (name === 'all' || name === 'default') return;
	in_dev.sysctl_name = name;
	register_conf(in_dev.dev.net, name, in_dev.cnf);
}

export function devinet_sysctl_unregister(in_dev: in_device): void {
	if (in_dev.sysctl_name === '') return;
	unregister_sysctl(in_dev.dev.net.sysctls, `net/ipv4/conf/${in_dev.sysctl_name}`);
	in_dev.sysctl_name = '';
}

export function devinet_sysctl_init_net(net: net): number {
	register_conf(net, 'all', net.ipv4.devconf_all);
	register_conf(net, 'default', net.ipv4.devconf_dflt);
	register_sysctl(net.sysctls, [
		entry('net/ipv4/ip_forward', net.ipv4.devconf_all, IPV4_DEVCONF_FORWARDING, devinet_sysctl_forward),
	]);
	return 0;
}
