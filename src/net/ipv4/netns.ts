/*
 * net/ipv4/netns.ts: what IPv4 keeps per network namespace: net.ipv4.      Linux: net/netns/ipv4.h, net/ip_fib.h
 * Every room of net/ipv4 has its fields here, with Linux's defaults. Units are the kernel's own: `*_jiffies` and what a comment says so
 * are jiffies (HZ = 250); the sysctl handlers convert. The tables that show them are in sysctl_net_ipv4.ts, route.ts, devinet.ts.
 */
import type { Machine } from '../../kernel/machine.ts';
import { HZ, type timer_list } from '../../kernel/time.ts';
import type { fib_lookup_arg, fib_rules_ops } from '../core/fib_rules.ts';
import { type net, register_pernet_subsys } from '../core/net_namespace.ts';
import type { sock } from '../core/sock.ts';
import type { in_ifaddr, inetaddr_notifier, ipv4_devconf } from './devinet.ts';
import type { fib_info, fib_table } from './fib_lookup.ts';
import type { fqdir } from './inet_fragment.ts';
import type { inet_hashinfo } from './inet_hashtables.ts';
import type { inet_peer_base } from './inetpeer.ts';
import type { ip_idents } from './ip.ts';
import type { ping_table } from './ping.ts';
import type { raw_hashinfo } from './raw.ts';
import type { route_scratch } from './route.ts';
import type { rt_cache_stats } from './route_sysctl.ts';
import type { tcp_metrics_table } from './tcp_metrics.ts';
import type { tcp_fastopen_context } from './tcp_sock.ts';
import type { udp_table } from './udp.ts';

/** The sysctls that are one for the whole machine (they appear in the first namespace only). */
export class ipv4_route_global {
	ip_rt_error_cost = HZ;
	ip_rt_error_burst = 5 * HZ;
	/** ip_rt_redirect_load is HZ/50, silence (HZ/50) << 10: jiffies. */
	ip_rt_redirect_number = 9;
	ip_rt_redirect_load = HZ / 50;
	ip_rt_redirect_silence = (HZ / 50) << 10;
	ip_rt_gc_timeout = 300 * HZ;
	ip_rt_gc_min_interval = HZ / 2;
	ip_rt_gc_interval = 60 * HZ;
	ip_rt_gc_elasticity = 8;
	ip_rt_gc_thresh = -1;
	ip_rt_max_size = 2147483647;
	inet_peer_threshold = 65536 + 128;
	inet_peer_minttl = 120 * HZ;
	inet_peer_maxttl = 600 * HZ;
	fib_sync_mem = 512 * 1024;
	inetaddr_chain: inetaddr_notifier[] = [];
}

export class netns_ipv4 {
	rt_global: ipv4_route_global;

	// ---- devinet
	devconf_all!: ipv4_devconf;
	devconf_dflt!: ipv4_devconf;
	/** By local address; inet_addr_hash() masks with its length - 1. Chained by in_ifaddr.addr_lst. */
	inet_addr_lst: (in_ifaddr | null)[] = [];
	/** Ends addresses' lifetimes. */
	addr_chk_work: timer_list | null = null;
	/** Bumped with each change of addresses; dumps say NLM_F_DUMP_INTR by it. */
	dev_addr_genid = 0;

	// ---- fib
	fib_table_hash: fib_table[][] = [];
	/** Linux's shortcuts while there are no rules but the three of birth. */
	fib_main: fib_table | null = null;
	fib_default: fib_table | null = null;
	rules_ops: fib_rules_ops | null = null;
	rules_arg: fib_lookup_arg | null = null;
	fib_has_custom_rules = false;
	fib_has_custom_local_routes = false;
	fib_rules_require_fldissect = 0;
	fib_offload_disabled = false;
	fib_num_tclassid_users = 0;
	fib_seq = 0;
	/** By fib_info.fib_id; aliases name them so. Free places are in fib_info_free. */
	fib_infos: (fib_info | null)[] = [];
	fib_info_free: number[] = [];
	/** fib_info by their content. */
	fib_info_hash: Map<number, fib_info[]> = new Map();
	/** Nexthops by device index, for device events. */
	fib_info_devhash: Map<number, Set<fib_info>> = new Map();

	// ---- route
	/** Routes cached before it changed are void. */
	rt_genid = 0;
	dev_rt_genid = 0;
	peers!: inet_peer_base;
	/** What was learned of destinations before it changed is void. */
	fnhe_genid = 0;
	/** What lookups work in. */
	scratch!: route_scratch;
	rt_cache_stat!: rt_cache_stats;
	sysctl_ip_rt_min_pmtu = 552;
	/** jiffies */
	sysctl_ip_rt_mtu_expires = 600 * HZ;
	sysctl_ip_rt_min_advmss = 256;
	sysctl_fib_multipath_use_neigh = 0;
	sysctl_fib_multipath_hash_policy = 0;
	sysctl_fib_multipath_hash_fields = 0x7;
	sysctl_fib_multipath_hash_seed = 0;
	/** What the flow hash is seeded with: the machine's own secret, or what the sysctl says. */
	fib_multipath_hash_secret = 0;
	sysctl_fib_notify_on_flag_change = 0;
	sysctl_nexthop_compat_mode = 1;

	// ---- ip
	sysctl_ip_default_ttl = 64;
	sysctl_ip_no_pmtu_disc = 0;
	sysctl_ip_fwd_use_pmtu = 0;
	sysctl_ip_fwd_update_priority = 1;
	sysctl_ip_nonlocal_bind = 0;
	sysctl_ip_autobind_reuse = 0;
	sysctl_ip_dynaddr = 0;
	sysctl_ip_early_demux = 1;
	sysctl_udp_early_demux = 1;
	sysctl_tcp_early_demux = 1;
	sysctl_fwmark_reflect = 0;
	sysctl_raw_l3mdev_accept = 1;
	sysctl_udp_l3mdev_accept = 0;
	sysctl_ip_prot_sock = 1024;
	/** Low and high of the ephemeral ports. */
	ip_local_ports: number[] = [32768, 60999];
	ip_local_ports_warned = false;
	/** One bit per port, made when first written; null for none reserved. */
	sysctl_local_reserved_ports: Uint8Array | null = null;
	/** gids that may open ping sockets: low, high. [1, 0] for nobody. */
	ping_group_range: number[] = [1, 0];
	sysctl_udp_rmem_min = 4096;
	sysctl_udp_wmem_min = 4096;
	/** jiffies; secret of IP ids (ip_select_ident). */
	ip_id_key = 0;
	/** Made with the first packet that needs an id. */
	ip_idents: ip_idents | null = null;

	// ---- fragments: what net/ipv4/ip_fragment shows; it keeps its queues in its own objects.
	sysctl_ipfrag_high_thresh = 4 * 1024 * 1024;
	sysctl_ipfrag_low_thresh = 3 * 1024 * 1024;
	/** jiffies */
	sysctl_ipfrag_time = 30 * HZ;
	sysctl_ipfrag_max_dist = 64;
	/** Packets being put together. */
	fqdir!: fqdir;

	// ---- icmp
	sysctl_icmp_echo_ignore_all = 0;
	sysctl_icmp_echo_enable_probe = 0;
	sysctl_icmp_echo_ignore_broadcasts = 1;
	sysctl_icmp_ignore_bogus_error_responses = 1;
	sysctl_icmp_errors_use_inbound_ifaddr = 0;
	/** jiffies */
	sysctl_icmp_ratelimit = HZ;
	sysctl_icmp_ratemask = 0x1818;
	sysctl_icmp_msgs_per_sec = 1000;
	sysctl_icmp_msgs_burst = 50;
	icmp_global_credit = 0;
	/** jiffies */
	icmp_global_stamp = -HZ;
	/** Whom ICMP messages are sent by. */
	icmp_sk!: sock;

	// ---- igmp
	sysctl_igmp_max_memberships = 20;
	sysctl_igmp_max_msf = 10;
	sysctl_igmp_llm_reports = 1;
	sysctl_igmp_qrv = 2;

	// ---- sockets
	udp_table!: udp_table;
	raw_hash!: raw_hashinfo;
	ping_table!: ping_table;
	/** Raw sockets with IP_ROUTER_ALERT. */
	ra_chain: sock[] = [];
	/** Whom TCP's resets are sent by. */
	tcp_sk!: sock;

	// ---- tcp (ip-sysctl.rst; what is in jiffies, us or ms says so)
	sysctl_tcp_abort_on_overflow = 0;
	sysctl_tcp_adv_win_scale = 1;
	sysctl_tcp_app_win = 31;
	sysctl_tcp_autocorking = 1;
	sysctl_tcp_backlog_ack_defer = 1;
	sysctl_tcp_base_mss = 1024;
	sysctl_tcp_challenge_ack_limit = 0x7fffffff;
	sysctl_tcp_child_ehash_entries = 0;
	/** ns */
	sysctl_tcp_comp_sack_delay_ns = 1000000;
	sysctl_tcp_comp_sack_nr = 44;
	sysctl_tcp_comp_sack_slack_ns = 100000;
	/** Name of the module that new sockets start with. */
	tcp_congestion_control = 'cubic';
	sysctl_tcp_dsack = 1;
	sysctl_tcp_early_retrans = 3;
	sysctl_tcp_ecn = 2;
	sysctl_tcp_ecn_fallback = 1;
	sysctl_tcp_ecn_option = 2;
	sysctl_tcp_ecn_option_beacon = 3;
	sysctl_tcp_fastopen = 1;
	sysctl_tcp_fastopen_blackhole_timeout = 0;
	tcp_fastopen_ctx: tcp_fastopen_context | null = null;
	/** Shown, and without effect since Linux 4.15. */
	sysctl_tcp_fack = 0;
	sysctl_tcp_fin_timeout = 60 * HZ;
	sysctl_tcp_frto = 2;
	sysctl_tcp_fwmark_accept = 0;
	/** jiffies */
	sysctl_tcp_invalid_ratelimit = HZ / 2;
	sysctl_tcp_keepalive_intvl = 75 * HZ;
	sysctl_tcp_keepalive_probes = 9;
	sysctl_tcp_keepalive_time = 7200 * HZ;
	sysctl_tcp_l3mdev_accept = 0;
	sysctl_tcp_limit_output_bytes = 4 * 1024 * 1024;
	sysctl_tcp_max_reordering = 300;
	sysctl_tcp_max_syn_backlog = 2048;
	sysctl_max_tw_buckets = 131072;
	sysctl_tcp_migrate_req = 0;
	sysctl_tcp_min_rtt_wlen = 300;
	sysctl_tcp_min_snd_mss = 48;
	sysctl_tcp_min_tso_segs = 2;
	sysctl_tcp_moderate_rcvbuf = 1;
	sysctl_tcp_mtu_probe_floor = 48;
	sysctl_tcp_mtu_probing = 0;
	sysctl_tcp_nometrics_save = 0;
	sysctl_tcp_no_ssthresh_metrics_save = 1;
	sysctl_tcp_notsent_lowat = 0xffffffff;
	sysctl_tcp_orphan_retries = 0;
	sysctl_tcp_pacing_ca_ratio = 120;
	sysctl_tcp_pacing_ss_ratio = 200;
	sysctl_tcp_pingpong_thresh = 1;
	sysctl_tcp_plb_cong_thresh = 128;
	sysctl_tcp_plb_enabled = 0;
	sysctl_tcp_plb_idle_rehash_rounds = 3;
	sysctl_tcp_plb_rehash_rounds = 12;
	sysctl_tcp_plb_suspend_rto_sec = 60;
	sysctl_tcp_probe_interval = 600;
	sysctl_tcp_probe_threshold = 8;
	sysctl_tcp_recovery = 1;
	sysctl_tcp_reflect_tos = 0;
	sysctl_tcp_reordering = 3;
	sysctl_tcp_retrans_collapse = 1;
	sysctl_tcp_retries1 = 3;
	sysctl_tcp_retries2 = 15;
	sysctl_tcp_rfc1337 = 0;
	sysctl_tcp_rmem: number[] = [4096, 131072, 33554432];
	sysctl_tcp_rto_max_ms = 120000;
	sysctl_tcp_rto_min_us = 200000;
	sysctl_tcp_sack = 1;
	sysctl_tcp_shrink_window = 0;
	sysctl_tcp_slow_start_after_idle = 1;
	sysctl_tcp_stdurg = 0;
	sysctl_tcp_syn_linear_timeouts = 4;
	sysctl_tcp_syn_retries = 6;
	sysctl_tcp_synack_retries = 5;
	sysctl_tcp_syncookies = 1;
	sysctl_tcp_thin_linear_timeouts = 0;
	sysctl_tcp_timestamps = 1;
	sysctl_tcp_tso_rtt_log = 9;
	sysctl_tcp_tso_win_divisor = 3;
	sysctl_tcp_tw_reuse = 2;
	sysctl_tcp_tw_reuse_delay = 1000;
	sysctl_tcp_window_scaling = 1;
	sysctl_tcp_wmem: number[] = [4096, 16384, 4194304];
	sysctl_tcp_workaround_signed_windows = 0;
	/** Connections, listeners, ports (inet_hashtables). */
	tcp_hashinfo!: inet_hashinfo;
	/** Entries in TIME_WAIT. */
	tw_refcount = 0;
	/** What the path to a peer is remembered to be like (tcp_metrics). */
	tcp_metrics!: tcp_metrics_table;
	/** jiffies and count of challenge ACKs (RFC 5961). */
	tcp_challenge_timestamp = -1;
	tcp_challenge_count = 0;
	tfo_active_disable_times = 0;
	tfo_active_disable_stamp = 0;

	constructor(rt_global: ipv4_route_global) {
		this.rt_global = rt_global;
	}
}

function ipv4_netns_init(net: net): number {
	const first = net.machine.init_net;
	const rt_global = first !== net && first.ipv4 !== undefined ? first.ipv4.rt_global : new ipv4_route_global();
	net.ipv4 = new netns_ipv4(rt_global);
	net.ipv4.ip_id_key = net.machine.random.u32();
	net.ipv4.fib_multipath_hash_secret = net.machine.random.u32();
	return 0;
}

function ipv4_netns_exit(_net: net): void {}

/** Gives each namespace its `net.ipv4`. Before every other room of IPv4. */
export function netns_ipv4_init(machine: Machine): void {
	register_pernet_subsys(machine, { name: 'ipv4', init: ipv4_netns_init, exit: ipv4_netns_exit });
}
