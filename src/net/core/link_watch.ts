/*
 * net/core/link_watch.ts: from carrier to operational state.       Linux: net/core/link_watch.c
 * Walk: netif_carrier_on/off -> linkwatch_fire_event -> (soon) linkwatch_do_dev -> rfc2863_policy, dev_activate/deactivate,
 *       netdev_state_change. A gained carrier is told at once, a lost one at most once a second.
 * RFC 2863 3.1.13, 3.1.14 (ifOperStatus).
 */

import type { Machine } from '../../kernel/machine.ts';
import { HZ, mod_timer, timer_list, timer_pending } from '../../kernel/time.ts';
import {
	IF_LINK_MODE_DORMANT,
	IF_OPER_DORMANT,
	IF_OPER_DOWN,
	IF_OPER_LOWERLAYERDOWN,
	IF_OPER_UNKNOWN,
	IF_OPER_UP,
	IFF_UP,
} from '../../uapi/linux/if.ts';
import { dev_activate, dev_deactivate, qdisc_is_noop } from '../sched/sch_generic.ts';
import { dev_get_iflink, netdev_state_change } from './dev.ts';
import { NETREG_REGISTERED, NETREG_UNINITIALIZED, type net_device } from './netdevice.ts';

/** Devices whose link changed and when the next round may be. */
export class linkwatch_global {
	events: net_device[] = [];
	/** In jiffies. */
	nextevent = 0;
	timer: timer_list;

	constructor(machine: Machine) {
		this.timer = new timer_list(machine, linkwatch_event, machine, 'linkwatch_event');
	}
}

/** RFC 2863: what the carrier, and the layers below, make of the device. */
function default_operstate(dev: net_device): number {
	if (!dev.carrier) return dev_get_iflink(dev) !== dev.ifindex ? IF_OPER_LOWERLAYERDOWN : IF_OPER_DOWN;
	return dev.dormant ? IF_OPER_DORMANT : IF_OPER_UP;
}

function rfc2863_policy(dev: net_device): void {
	let operstate = default_operstate(dev);
	if (dev.link_mode === IF_LINK_MODE_DORMANT && operstate === IF_OPER_UP) operstate = IF_OPER_DORMANT;
	dev.operstate = operstate;
}

/** A new device that starts without carrier says so. */
export function linkwatch_init_dev(dev: net_device): void {
	if (!dev.carrier || dev.dormant) rfc2863_policy(dev);
}

function linkwatch_urgent_event(dev: net_device): boolean {
	if (!dev.running) return false;
	if (dev_get_iflink(dev) !== dev.ifindex) return true;
	return dev.carrier && qdisc_is_noop(dev._tx[0].qdisc);
}

/** The link of `dev` changed. */
export function linkwatch_fire_event(dev: net_device): void {
	const machine = dev.net.machine;
	const lw = machine.net.linkwatch;
	const urgent = linkwatch_urgent_event(dev);
	if (!lw.events.includes(dev)) lw.events.push(dev);
	const now = machine.jiffies;
	const at = urgent || lw.nextevent <= now ? now : lw.nextevent;
	if (!timer_pending(lw.timer) || at < lw.timer.expires) mod_timer(lw.timer, at);
}

function linkwatch_do_dev(dev: net_device): void {
	rfc2863_policy(dev);
	if (dev.flags & IFF_UP) {
		if (dev.carrier) dev_activate(dev);
		else dev_deactivate(dev);
		netdev_state_change(dev);
	}
}

function linkwatch_event(timer: timer_list): void {
	const machine = timer.machine;
	const lw = machine.net.linkwatch;
	const now = machine.jiffies;
	const urgent_only = now < lw.nextevent;
	if (!urgent_only) lw.nextevent = now + HZ;
	const events = lw.events;
	lw.events = [];
	for (const dev of events) {
		if (dev.reg_state !== NETREG_REGISTERED) continue;
		if (urgent_only && !linkwatch_urgent_event(dev)) lw.events.push(dev);
		else linkwatch_do_dev(dev);
	}
	if (lw.events.length > 0) mod_timer(timer, lw.nextevent);
}

/** Brings a device's state up to date before somebody reads it. */
export function linkwatch_sync_dev(dev: net_device): void {
	const lw = dev.net.machine.net.linkwatch;
	const at = lw.events.indexOf(dev);
	if (at < 0) return;
	lw.events.splice(at, 1);
	linkwatch_do_dev(dev);
}

/** The device goes: nothing more of it. */
export function linkwatch_forget_dev(dev: net_device): void {
	const lw = dev.net.machine.net.linkwatch;
	const at = lw.events.indexOf(dev);
	if (at >= 0) lw.events.splice(at, 1);
}

/** The signal came. Context: the driver. */
export function netif_carrier_on(dev: net_device): void {
	if (dev.carrier) return;
	dev.carrier = true;
	if (dev.reg_state === NETREG_UNINITIALIZED) return;
	dev.carrier_up_count++;
	linkwatch_fire_event(dev);
}

/** The signal went. */
export function netif_carrier_off(dev: net_device): void {
	if (!dev.carrier) return;
	dev.carrier = false;
	if (dev.reg_state === NETREG_UNINITIALIZED) return;
	dev.carrier_down_count++;
	linkwatch_fire_event(dev);
}

export function netif_carrier_ok(dev: net_device): boolean {
	return dev.carrier;
}

export function netif_dormant_on(dev: net_device): void {
	if (dev.dormant) return;
	dev.dormant = true;
	linkwatch_fire_event(dev);
}

export function netif_dormant_off(dev: net_device): void {
	if (!dev.dormant) return;
	dev.dormant = false;
	linkwatch_fire_event(dev);
}

/** Up in the sense of RFC 2863, or nobody knows. */
export function netif_oper_up(dev: net_device): boolean {
	return dev.operstate === IF_OPER_UP || dev.operstate === IF_OPER_UNKNOWN;
}
