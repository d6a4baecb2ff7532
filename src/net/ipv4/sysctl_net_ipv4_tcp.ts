/*
 * net/ipv4/sysctl_net_ipv4_tcp.ts: net.ipv4.tcp_*.                 Linux: net/ipv4/sysctl_net_ipv4.c
 * Names, order and bounds are those of Linux 6.18; ip-sysctl.rst says what they mean. tcp_mem, tcp_max_orphans, tcp_available_ulp and the
 * list of allowed congestion controls are the machine's: the first namespace shows the first three and changes the last.
 */
import {
	ctl_int,
	type ctl_table,
	INT_MAX,
	INT_MIN,
	proc_dointvec_minmax,
	register_sysctl_dir,
} from '../../kernel/sysctl.ts';
import { HZ, msecs_to_jiffies } from '../../kernel/time.ts';
import { get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import { EINVAL } from '../../uapi/asm-generic/errno.ts';
import type { net } from '../core/net_namespace.ts';
import type { netns_ipv4 } from './netns.ts';
import { ctl_ms_jiffies, parse_one } from './route_sysctl.ts';
import {
	tcp_get_allowed_congestion_control,
	tcp_get_available_congestion_control,
	tcp_get_default_congestion_control,
	tcp_set_allowed_congestion_control,
	tcp_set_default_congestion_control,
} from './tcp_cong.ts';
import { tcp_fastopen_reset_cipher } from './tcp_fastopen.ts';

const U32_MAX = 0xffffffff;
const ONE_DAY_SECS = 86400;

function read_jiffies(t: ctl_table): string {
	return String(Math.trunc((t.data![t.field] as number) / HZ));
}

/** Seconds, of either sign, as many as an int of jiffies holds. */
function write_jiffies(t: ctl_table, net: net, text: string): number {
	if (text === '') return 0;
	const v = parse_one(net, text);
	const max = Math.floor(INT_MAX / HZ);
	if (v === null || v > max || v < Math.max(-max, t.min)) return -EINVAL;
	t.data![t.field] = v * HZ;
	return 0;
}

/** Milliseconds, kept in jiffies; the number is taken for 32 bits of it. */
function write_ms_jiffies(t: ctl_table, net: net, text: string): number {
	if (text === '') return 0;
	const box = { v: 0 };
	const err = proc_dointvec_minmax(ctl_int('', box, 'v', -Infinity, Infinity), net, text);
	if (err < 0 || box.v >>> 0 > INT_MAX) return -EINVAL;
	t.data![t.field] = msecs_to_jiffies(box.v >>> 0);
	return 0;
}

function proc_tcp_congestion_control_read(_t: ctl_table, net: net): string {
	return tcp_get_default_congestion_control(net);
}

function proc_tcp_congestion_control_write(_t: ctl_table, net: net, text: string): number {
	return tcp_set_default_congestion_control(net, text.trim());
}

function proc_tcp_available_congestion_control(_t: ctl_table, net: net): string {
	return tcp_get_available_congestion_control(net.machine);
}

function proc_allowed_congestion_control_read(_t: ctl_table, net: net): string {
	return tcp_get_allowed_congestion_control(net.machine);
}

function proc_allowed_congestion_control_write(_t: ctl_table, net: net, text: string): number {
	return tcp_set_allowed_congestion_control(net.machine, text.trim());
}

/** A table shared with the first namespace shows its size as a negative number. */
function proc_tcp_ehash_entries(_t: ctl_table, net: net): string {
	return net === net.machine.init_net ? '262144' : '-262144';
}

function key_text(key: Uint8Array): string {
	const words: string[] = [];
	for (let i = 0; i < 16; i += 4) words.push((get_unaligned_le32(key, i) >>> 0).toString(16).padStart(8, '0'));
	return words.join('-');
}

function proc_tcp_fastopen_key_read(_t: ctl_table, net: net): string {
	const ctx = net.ipv4.tcp_fastopen_ctx;
	return ctx === null ? key_text(new Uint8Array(16)) : ctx.key.map(key_text).join(',');
}

/** Four words in hex; what follows the fourth is not looked at. Return: the key, or null. */
function parse_key(text: string): Uint8Array | null {
	const m = /^\s*([0-9a-f]+)-([0-9a-f]+)-([0-9a-f]+)-([0-9a-f]+)/i.exec(text);
	if (m === null) return null;
	const key = new Uint8Array(16);
	for (let i = 0; i < 4; i++) put_unaligned_le32(key, i * 4, Number.parseInt(m[i + 1].slice(-8), 16) >>> 0);
	return key;
}

/** KEY or KEY,KEY: the second is what cookies were made with before. */
function proc_tcp_fastopen_key_write(_t: ctl_table, net: net, text: string): number {
	if (text === '') return 0;
	const comma = text.indexOf(',');
	const primary = parse_key(comma < 0 ? text : text.slice(0, comma));
	if (primary === null) return -EINVAL;
	if (comma < 0) return tcp_fastopen_reset_cipher(net, null, primary, null);
	const backup = parse_key(text.slice(comma + 1));
	if (backup === null) return -EINVAL;
	return tcp_fastopen_reset_cipher(net, null, primary, backup);
}

/** Reordering is believed up to tcp_max_reordering. */
function proc_tcp_reordering(t: ctl_table, net: net, text: string): number {
	if (text === '') return 0;
	const v = parse_one(net, text);
	if (v === null || v < 1 || v > net.ipv4.sysctl_tcp_max_reordering) return -EINVAL;
	t.data![t.field] = v;
	return 0;
}

function read_ulp(): string {
	return '';
}

function tcp_net_table(net: net): ctl_table[] {
	const v4 = net.ipv4;
	const tables: ctl_table[] = [];
	type field = keyof netns_ipv4 & string;
	const int = (name: string, f: field, min = INT_MIN, max = INT_MAX): ctl_table => {
		const t = ctl_int(`net/ipv4/tcp_${name}`, v4, f, min, max);
		tables.push(t);
		return t;
	};
	const u8 = (name: string, f: field, min = 0, max = 255): ctl_table => int(name, f, min, max);
	const secs = (name: string, f: field, min = INT_MIN): void => {
		const t = int(name, f, min);
		t.read = read_jiffies;
		t.write = write_jiffies;
	};
	const text = (name: string, mode: number, read: ctl_table['read'], write: ctl_table['write'] | null): void => {
		const t = ctl_int(`net/ipv4/tcp_${name}`, {}, name);
		t.mode = mode;
		t.read = read;
		if (write !== null) t.write = write;
		tables.push(t);
	};
	u8('abort_on_overflow', 'sysctl_tcp_abort_on_overflow');
	int('adv_win_scale', 'sysctl_tcp_adv_win_scale', -31, 31);
	const first = net === net.machine.init_net;
	text(
		'allowed_congestion_control',
		first ? 0o644 : 0o444,
		proc_allowed_congestion_control_read,
		proc_allowed_congestion_control_write,
	);
	u8('app_win', 'sysctl_tcp_app_win', 0, 31);
	u8('autocorking', 'sysctl_tcp_autocorking', 0, 1);
	text('available_congestion_control', 0o444, proc_tcp_available_congestion_control, null);
	u8('backlog_ack_defer', 'sysctl_tcp_backlog_ack_defer', 0, 1);
	int('base_mss', 'sysctl_tcp_base_mss');
	int('challenge_ack_limit', 'sysctl_tcp_challenge_ack_limit');
	int('child_ehash_entries', 'sysctl_tcp_child_ehash_entries', 0, 1 << 24);
	int('comp_sack_delay_ns', 'sysctl_tcp_comp_sack_delay_ns', 0, 2 ** 64 - 1);
	u8('comp_sack_nr', 'sysctl_tcp_comp_sack_nr');
	int('comp_sack_slack_ns', 'sysctl_tcp_comp_sack_slack_ns', 0, 2 ** 64 - 1);
	text('congestion_control', 0o644, proc_tcp_congestion_control_read, proc_tcp_congestion_control_write);
	u8('dsack', 'sysctl_tcp_dsack');
	u8('early_retrans', 'sysctl_tcp_early_retrans', 0, 4);
	u8('ecn', 'sysctl_tcp_ecn', 0, 2);
	u8('ecn_fallback', 'sysctl_tcp_ecn_fallback', 0, 1);
	u8('ecn_option', 'sysctl_tcp_ecn_option', 0, 2);
	u8('ecn_option_beacon', 'sysctl_tcp_ecn_option_beacon', 0, 3);
	text('ehash_entries', 0o444, proc_tcp_ehash_entries, null);
	u8('fack', 'sysctl_tcp_fack');
	int('fastopen', 'sysctl_tcp_fastopen');
	int('fastopen_blackhole_timeout_sec', 'sysctl_tcp_fastopen_blackhole_timeout', 0);
	text('fastopen_key', 0o600, proc_tcp_fastopen_key_read, proc_tcp_fastopen_key_write);
	secs('fin_timeout', 'sysctl_tcp_fin_timeout');
	u8('frto', 'sysctl_tcp_frto');
	u8('fwmark_accept', 'sysctl_tcp_fwmark_accept');
	const ratelimit = ctl_ms_jiffies('net/ipv4/tcp_invalid_ratelimit', v4, 'sysctl_tcp_invalid_ratelimit');
	ratelimit.write = write_ms_jiffies;
	tables.push(ratelimit);
	secs('keepalive_intvl', 'sysctl_tcp_keepalive_intvl');
	u8('keepalive_probes', 'sysctl_tcp_keepalive_probes');
	secs('keepalive_time', 'sysctl_tcp_keepalive_time');
	u8('l3mdev_accept', 'sysctl_tcp_l3mdev_accept', 0, 1);
	int('limit_output_bytes', 'sysctl_tcp_limit_output_bytes');
	int('max_reordering', 'sysctl_tcp_max_reordering', 1);
	int('max_syn_backlog', 'sysctl_tcp_max_syn_backlog');
	int('max_tw_buckets', 'sysctl_max_tw_buckets');
	u8('migrate_req', 'sysctl_tcp_migrate_req', 0, 1);
	int('min_rtt_wlen', 'sysctl_tcp_min_rtt_wlen', 0, ONE_DAY_SECS);
	int('min_snd_mss', 'sysctl_tcp_min_snd_mss', 48, 65535);
	u8('min_tso_segs', 'sysctl_tcp_min_tso_segs', 1);
	u8('moderate_rcvbuf', 'sysctl_tcp_moderate_rcvbuf');
	int('mtu_probe_floor', 'sysctl_tcp_mtu_probe_floor', 48, 65535);
	u8('mtu_probing', 'sysctl_tcp_mtu_probing');
	u8('no_metrics_save', 'sysctl_tcp_nometrics_save');
	u8('no_ssthresh_metrics_save', 'sysctl_tcp_no_ssthresh_metrics_save', 0, 1);
	int('notsent_lowat', 'sysctl_tcp_notsent_lowat', 0, U32_MAX);
	u8('orphan_retries', 'sysctl_tcp_orphan_retries');
	int('pacing_ca_ratio', 'sysctl_tcp_pacing_ca_ratio', 0, 1000);
	int('pacing_ss_ratio', 'sysctl_tcp_pacing_ss_ratio', 0, 1000);
	u8('pingpong_thresh', 'sysctl_tcp_pingpong_thresh', 1);
	int('plb_cong_thresh', 'sysctl_tcp_plb_cong_thresh', 0, 256);
	u8('plb_enabled', 'sysctl_tcp_plb_enabled', 0, 1);
	u8('plb_idle_rehash_rounds', 'sysctl_tcp_plb_idle_rehash_rounds', 0, 31);
	u8('plb_rehash_rounds', 'sysctl_tcp_plb_rehash_rounds', 0, 31);
	u8('plb_suspend_rto_sec', 'sysctl_tcp_plb_suspend_rto_sec');
	int('probe_interval', 'sysctl_tcp_probe_interval', 0, Math.floor(U32_MAX / HZ));
	int('probe_threshold', 'sysctl_tcp_probe_threshold');
	u8('recovery', 'sysctl_tcp_recovery');
	u8('reflect_tos', 'sysctl_tcp_reflect_tos', 0, 1);
	int('reordering', 'sysctl_tcp_reordering', 1).write = proc_tcp_reordering;
	u8('retrans_collapse', 'sysctl_tcp_retrans_collapse');
	u8('retries1', 'sysctl_tcp_retries1');
	u8('retries2', 'sysctl_tcp_retries2');
	u8('rfc1337', 'sysctl_tcp_rfc1337');
	int('rmem', 'sysctl_tcp_rmem', 1);
	int('rto_max_ms', 'sysctl_tcp_rto_max_ms', 1000, 120000);
	int('rto_min_us', 'sysctl_tcp_rto_min_us', 1);
	u8('sack', 'sysctl_tcp_sack');
	u8('shrink_window', 'sysctl_tcp_shrink_window', 0, 1);
	u8('slow_start_after_idle', 'sysctl_tcp_slow_start_after_idle');
	u8('stdurg', 'sysctl_tcp_stdurg');
	u8('syn_linear_timeouts', 'sysctl_tcp_syn_linear_timeouts', 0, 127);
	u8('syn_retries', 'sysctl_tcp_syn_retries', 1, 127);
	u8('synack_retries', 'sysctl_tcp_synack_retries');
	u8('syncookies', 'sysctl_tcp_syncookies');
	u8('thin_linear_timeouts', 'sysctl_tcp_thin_linear_timeouts');
	u8('timestamps', 'sysctl_tcp_timestamps');
	u8('tso_rtt_log', 'sysctl_tcp_tso_rtt_log');
	u8('tso_win_divisor', 'sysctl_tcp_tso_win_divisor');
	u8('tw_reuse', 'sysctl_tcp_tw_reuse', 0, 2);
	int('tw_reuse_delay', 'sysctl_tcp_tw_reuse_delay', 1, 60000);
	u8('window_scaling', 'sysctl_tcp_window_scaling');
	int('wmem', 'sysctl_tcp_wmem', 1);
	u8('workaround_signed_windows', 'sysctl_tcp_workaround_signed_windows');
	if (first) {
		const m = net.machine.sock.tcp_memory;
		tables.push(ctl_int('net/ipv4/tcp_mem', m, 'sysctl_mem', 0, Number.MAX_SAFE_INTEGER));
		tables.push(ctl_int('net/ipv4/tcp_max_orphans', m, 'sysctl_max_orphans'));
		text('available_ulp', 0o444, read_ulp, null);
	}
	return tables;
}

/** The files of one namespace. */
export function tcp_sysctl_init_net(net: net): void {
	register_sysctl_dir(net.sysctls, 'net/ipv4', tcp_net_table, net);
}
