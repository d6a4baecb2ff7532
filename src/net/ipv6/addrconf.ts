/*
 * net/ipv6/addrconf.ts: net.ipv6.conf.{all,default,DEV}.*: those that hosts' scripts set.   Linux: net/ipv6/addrconf.c
 * They are kept, inherited and spread as on Linux; IPv6 stays off whatever they say, so disable_ipv6 is 1 at first.
 * Not here yet: IPv6, the other settings.
 */
import type { Machine } from '../../kernel/machine.ts';
import { NOTIFY_DONE } from '../../kernel/notifier.ts';
import {
	ctl_int,
	type ctl_table,
	INT_MAX,
	INT_MIN,
	proc_dointvec_minmax,
	register_sysctl_dir,
	unregister_sysctl,
} from '../../kernel/sysctl.ts';
import { NETDEV_CHANGENAME, NETDEV_REGISTER, NETDEV_UNREGISTER, register_netdevice_notifier } from '../core/dev.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import type { net_device } from '../core/netdevice.ts';

/** Settings of a device, by their names under /proc/sys. */
export class ipv6_devconf {
	forwarding = 0;
	disable_ipv6 = 1;
	accept_ra = 1;
	accept_redirects = 1;
	accept_source_route = 0;
	autoconf = 1;
	accept_dad = 1;
	dad_transmits = 1;
	use_tempaddr = 0;
	proxy_ndp = 0;
	hop_limit = 64;
}

export class netns_ipv6 {
	devconf_all: ipv6_devconf = new ipv6_devconf();
	devconf_dflt: ipv6_devconf = new ipv6_devconf();
}

/** A device as IPv6 sees it. */
export class inet6_dev {
	dev: net_device;
	cnf: ipv6_devconf = new ipv6_devconf();
	sysctl_name = '';

	constructor(dev: net_device) {
		this.dev = dev;
		Object.assign(this.cnf, dev.net.ipv6.devconf_dflt);
	}
}

/** Spreads what was written to `all` over the devices, and for some settings to those to come. */
function spread(net: net, table: ctl_table, field: 'forwarding' | 'disable_ipv6'): void {
	const { devconf_all, devconf_dflt } = net.ipv6;
	if (table.data !== (devconf_all as unknown)) return;
	devconf_dflt[field] = devconf_all[field];
	for (const dev of net.dev_base_head) if (dev.ip6_ptr !== null) dev.ip6_ptr.cnf[field] = devconf_all[field];
}

function addrconf_sysctl_forward(table: ctl_table, net: net, text: string): number {
	const err = proc_dointvec_minmax(table, net, text);
	if (err === 0) spread(net, table, 'forwarding');
	return err;
}

function addrconf_sysctl_disable(table: ctl_table, net: net, text: string): number {
	const err = proc_dointvec_minmax(table, net, text);
	if (err === 0) spread(net, table, 'disable_ipv6');
	return err;
}

function make_conf({ dir, cnf }: { dir: string; cnf: ipv6_devconf }): ctl_table[] {
	const tables: ctl_table[] = [];
	for (const field of Object.keys(cnf)) {
		const limits = field === 'hop_limit' ? [1, 255] : [INT_MIN, INT_MAX];
		const t = ctl_int(`${dir}/${field}`, cnf, field, limits[0], limits[1]);
		if (field === 'forwarding') t.write = addrconf_sysctl_forward;
		else if (field === 'disable_ipv6') t.write = addrconf_sysctl_disable;
		tables.push(t);
	}
	return tables;
}

function register_conf(net: net, name: string, cnf: ipv6_devconf): void {
	const dir = `net/ipv6/conf/${name}`;
	register_sysctl_dir(net.sysctls, dir, make_conf, { dir, cnf });
}

function addrconf_sysctl_register(idev: inet6_dev): void {
	const name = idev.dev.name;
	if (name === 'all' || name === 'default') return;
	idev.sysctl_name = name;
	register_conf(idev.dev.net, name, idev.cnf);
}

function addrconf_sysctl_unregister(idev: inet6_dev): void {
	if (idev.sysctl_name === '') return;
	unregister_sysctl(idev.dev.net.sysctls, `net/ipv6/conf/${idev.sysctl_name}`);
	idev.sysctl_name = '';
}

function addrconf_notify(_machine: Machine, event: number, dev: net_device): number {
	const idev = dev.ip6_ptr;
	if (event === NETDEV_REGISTER && idev === null) {
		dev.ip6_ptr = new inet6_dev(dev);
		addrconf_sysctl_register(dev.ip6_ptr);
	} else if (event === NETDEV_UNREGISTER && idev !== null) {
		addrconf_sysctl_unregister(idev);
		dev.ip6_ptr = null;
	} else if (event === NETDEV_CHANGENAME && idev !== null) {
		addrconf_sysctl_unregister(idev);
		addrconf_sysctl_register(idev);
	}
	return NOTIFY_DONE;
}

function addrconf_init_net(net: net): number {
	net.ipv6 = new netns_ipv6();
	register_conf(net, 'all', net.ipv6.devconf_all);
	register_conf(net, 'default', net.ipv6.devconf_dflt);
	return 0;
}

export function addrconf_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'addrconf', init: addrconf_init_net, exit: () => {} });
	register_netdevice_notifier(machine, { notifier_call: addrconf_notify, priority: 0 });
}
