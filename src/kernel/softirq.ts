/*
 * kernel/softirq.ts: deferred work of interrupts.                  Linux: kernel/softirq.c
 * A raised softirq runs as an event of its own at the same instant: after whatever else arrives at that instant, before time moves on.
 */
import type { clock_event } from '../lib/event_queue.ts';
import type { Machine } from './machine.ts';

export const HI_SOFTIRQ = 0;
export const TIMER_SOFTIRQ = 1;
export const NET_TX_SOFTIRQ = 2;
export const NET_RX_SOFTIRQ = 3;
export const TASKLET_SOFTIRQ = 6;
export const NR_SOFTIRQS = 10;

export type softirq_action = (machine: Machine) => void;

/** Installs the handler of a softirq. */
export function open_softirq(machine: Machine, nr: number, action: softirq_action): void {
	machine.softirq_vec[nr] = action;
}

/** Marks softirq `nr` pending; it runs soon, at this instant. */
export function raise_softirq(machine: Machine, nr: number): void {
	machine.softirq_pending |= 1 << nr;
	if (machine.softirq_event.slot < 0 && !machine.in_softirq) {
		machine.clock.schedule(machine.softirq_event, machine.clock.now);
	}
}

export function run_softirq_event(ev: clock_event): void {
	do_softirq(ev.owner as Machine);
}

/** How often softirqs that raise softirqs run at once; the rest runs as an event. */
const MAX_SOFTIRQ_RESTART = 10;

/** Process context lets softirqs in: what is pending runs now. */
export function local_bh_enable(machine: Machine): void {
	if (machine.softirq_pending === 0 || machine.in_softirq) return;
	for (let i = 0; i < MAX_SOFTIRQ_RESTART && machine.softirq_pending !== 0; i++) do_softirq(machine);
}

/** Runs what is pending; what gets raised meanwhile runs as a new event, so that other machines get their turn. */
export function do_softirq(machine: Machine): void {
	const pending = machine.softirq_pending;
	machine.softirq_runs++;
	machine.softirq_pending = 0;
	machine.in_softirq = true;
	for (let nr = 0; nr < NR_SOFTIRQS; nr++) {
		if (pending & (1 << nr)) {
			const action = machine.softirq_vec[nr];
			if (action !== null) action(machine);
		}
	}
	machine.in_softirq = false;
	if (machine.softirq_pending !== 0 && machine.softirq_event.slot < 0) {
		machine.clock.schedule(machine.softirq_event, machine.clock.now);
	}
}
