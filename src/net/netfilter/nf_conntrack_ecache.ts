/*
 * net/netfilter/nf_conntrack_ecache.ts: events of flows, gathered per packet and told when it leaves.   Linux: net/netfilter/nf_conntrack_ecache.c
 * With nf_conntrack_events 2 (the default) only entries that begin while somebody listens report anything.
 */
import { IPS_CONFIRMED, IPS_DYING } from '../../uapi/linux/netfilter/nf_conntrack_common.ts';
import { type nf_conn, nf_ct_ext_add } from './nf_conntrack_core.ts';

/** Remembers an event (IPCT_*) until the packet is confirmed. */
export function nf_conntrack_event_cache(event: number, ct: nf_conn): void {
	const ext = ct.ext;
	if (ext !== null && ext.ecache >= 0) ext.ecache |= 1 << event;
}

/** Reports at once. */
export function nf_conntrack_event_report(events: number, ct: nf_conn, portid: number, report: boolean): void {
	const notifier = ct.net.machine.ct.event_notifier;
	if (notifier === null || ct.ext === null || ct.ext.ecache < 0) return;
	notifier.ct_event(events, ct, portid, report);
}

/** Reports what was remembered. */
export function nf_ct_deliver_cached_events(ct: nf_conn): void {
	const ext = ct.ext!;
	const events = ext.ecache;
	if (events <= 0 || (ct.status & (IPS_CONFIRMED | IPS_DYING)) !== IPS_CONFIRMED) return;
	ext.ecache = 0;
	const notifier = ct.net.machine.ct.event_notifier;
	if (notifier !== null) notifier.ct_event(events, ct, 0, false);
}

/** Gives a new entry what the sysctls ask for. */
export function nf_ct_new_ext(ct: nf_conn): void {
	const n = ct.net.ct;
	if (n.sysctl_acct !== 0) nf_ct_ext_add(ct).acct = new Float64Array(4);
	if (n.sysctl_tstamp !== 0) nf_ct_ext_add(ct).tstamp_start = 1;
	if (n.labels_used !== 0) nf_ct_ext_add(ct).labels = new Uint8Array(16);
	if (n.sysctl_events === 1 || (n.sysctl_events === 2 && n.ctnetlink_has_listener)) nf_ct_ext_add(ct).ecache = 0;
}
