/*
 * lab/world.ts: many machines, their cables, and the one clock.
 *
 *     const world = new World({ seed: 1 });
 *     const a = world.host('a');
 *     const b = world.host('b');
 *     world.link(a.nic('eth0'), b.nic('eth0'), { delay: 5 });
 *     await a.sh('ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up');
 *     await b.sh('ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up');
 *     console.log((await a.sh('ping -c 1 10.0.0.2')).stdout);
 *
 * Time is virtual and passes only while a command waits, or in `run`: as fast as possible, or `paced` by a real clock.
 * The same seed gives the same packets at the same times.
 */

import type { Scheduler, task_struct } from '../kernel/sched.ts';
import { EventQueue } from '../lib/event_queue.ts';
import { explain, type PacketJourney, type RuleLookup } from '../trace/explain.ts';
import { Recorder } from '../trace/recorder.ts';
import { Host, type HostOptions, type Nic } from './host.ts';
import { ruleLines } from './import/snapshot.ts';
import { Link, type LinkOptions, Switch } from './link.ts';

export interface WorldOptions {
	/** Any whole number. Default 1. */
	seed?: number;
	/** Wall-clock time when the world begins. Default 2026-01-01T00:00:00Z. */
	epoch?: Date;
	/** Virtual seconds per real second; 0 (default) is as fast as possible. */
	pace?: number;
}

/** A span of time: ms, or text such as '2s', '150ms', '5d', '1h30m', '10us'. */
export type Duration = number | string;

const UNITS: Record<string, number> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9, d: 86400e9 };

/** The span in ns. Throws RangeError where it is none. */
export function durationNs(d: Duration): number {
	if (typeof d === 'number') {
		if (!(d >= 0)) throw new RangeError(`duration: ${d} is not a number of milliseconds`);
		return Math.round(d * 1e6);
	}
	let ns = 0;
	const rest = d.trim().replace(/(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)/g, (_, n: string, unit: string) => {
		ns += Number(n) * UNITS[unit];
		return '';
	});
	if (rest !== '' || d.trim() === '')
		throw new RangeError(`duration: '${d}' is no span of time; expected e.g. '2s', '150ms', '1h30m', '5d'`);
	return Math.round(ns);
}

/** Lets everything that was promised so far go on, and whatever else the surroundings have to do. */
function macrotask(): Promise<void> {
	return new Promise((resolve) => {
		if (typeof setImmediate === 'function') setImmediate(resolve);
		else {
			const channel = new MessageChannel();
			channel.port1.onmessage = () => {
				channel.port1.close();
				resolve();
			};
			channel.port2.postMessage(null);
		}
	});
}

const MICROTASKS = 64;

export class World implements Scheduler {
	readonly clock: EventQueue;
	readonly seed: number;
	readonly hosts: Map<string, Host> = new Map();
	readonly links: Link[] = [];
	readonly switches: Map<string, Switch> = new Map();
	/** Processes (and shells) that have something to do now. Time stands still while there are any. */
	private runnable = 0;
	private woken = false;
	private driving: Promise<void> | null = null;
	private goals: { at: number; resolve: () => void }[] = [];
	/** Jobs that the caller waits for. */
	private jobs = 0;
	private pace: number;

	constructor(options: WorldOptions = {}) {
		this.seed = options.seed ?? 1;
		this.pace = options.pace ?? 0;
		this.clock = new EventQueue(Math.floor((options.epoch?.getTime() ?? 1767225600000) / 1000));
	}

	/** Virtual time since the world began, in ms. */
	get now(): number {
		return this.clock.now / 1e6;
	}

	/** Boots a machine. */
	host(name: string, options: HostOptions = {}): Host {
		if (this.hosts.has(name)) throw new Error(`world: there is a host '${name}' already`);
		const host = new Host(this, name, this.hosts.size, options);
		this.hosts.set(name, host);
		return host;
	}

	/** Joins two NICs by a cable. */
	link(a: Nic, b: Nic, options: LinkOptions = {}): Link {
		const link = new Link(this.clock, this.seed, a, b, options);
		this.links.push(link);
		return link;
	}

	/** A learning switch with these NICs plugged in. */
	switch(name: string, nics: Nic[] = [], options: LinkOptions = {}): Switch {
		if (this.switches.has(name)) throw new Error(`world: there is a switch '${name}' already`);
		const sw = new Switch(this.clock, this.seed, name, options);
		for (const nic of nics) sw.plug(nic);
		this.switches.set(name, sw);
		return sw;
	}

	/** Lets virtual time pass. */
	async run(duration: Duration): Promise<void> {
		const at = this.clock.now + durationNs(duration);
		await new Promise<void>((resolve) => {
			this.goals.push({ at, resolve });
			this.goals.sort((x, y) => x.at - y.at);
			this.drive();
		});
	}

	/**
	 * Follows every packet that comes into being on any host while `work` goes on, over cables and through all that they do to it.
	 * Return: the journeys, in the order in which they began; `continued` is where each went on.
	 */
	async trace(work: () => Promise<unknown>): Promise<PacketJourney[]> {
		const recorder = new Recorder();
		for (const h of this.hosts.values()) recorder.start(h.machine);
		try {
			await work();
		} finally {
			for (const h of this.hosts.values()) recorder.stop(h.machine);
		}
		const roots = recorder.take();
		const look = await this.ruleTexts();
		return roots.filter((j) => j.records.length > 0).map((j) => explain(j, look));
	}

	/** What the rules of all hosts say, as iptables-save prints them. */
	private async ruleTexts(): Promise<RuleLookup> {
		const texts = new Map<string, string>();
		for (const h of this.hosts.values()) {
			if (h.machine.init_net.xt.tables.every((t) => t.length === 0)) continue;
			const saved = await h.exec(['iptables-save']);
			for (const r of ruleLines('', saved.stdout)) texts.set(`${h.name}/${r.table}/${r.chain}/${r.num}`, r.text);
		}
		return (machine, table, chain, num) => {
			const text = texts.get(`${machine}/${table}/${chain}/${num}`);
			return text === undefined ? undefined : { text };
		};
	}

	/**
	 * Runs every event up to `time` (ns of the world's clock) at once, giving way to nobody: for replays on hosts where no process runs.
	 */
	advanceTo(time: number): void {
		const clock = this.clock;
		while (clock.step(time));
		if (time > clock.now) clock.now = time;
	}

	/** @internal Runs what is due now, between two things that processes do. */
	instant(): void {
		const { clock } = this;
		for (let n = 0; n < 1e6 && clock.step(clock.now); n++);
	}

	/** Runs all that happens at this instant. */
	settle(): Promise<void> {
		return this.run(0);
	}

	/** @internal Runs `work` as something that can go on now; time passes while it sleeps. */
	async job<T>(work: () => Promise<T>): Promise<T> {
		this.runnable++;
		this.jobs++;
		this.drive();
		try {
			return await work();
		} finally {
			this.runnable--;
			this.jobs--;
		}
	}

	/** @internal As `job`, but nobody waits for it: time does not pass for its sake alone. */
	async background<T>(work: () => Promise<T>): Promise<T> {
		this.runnable++;
		this.drive();
		try {
			return await work();
		} finally {
			this.runnable--;
			// Whoever waits for it goes on before time does.
			this.woken = true;
		}
	}

	/** @internal Waits for what goes on in the background; time passes meanwhile. */
	async waiting<T>(work: Promise<T>): Promise<T> {
		this.jobs++;
		this.drive();
		try {
			return await work;
		} finally {
			this.jobs--;
		}
	}

	fork(): void {
		this.runnable++;
	}

	exit(): void {
		this.runnable--;
	}

	/** A program that waits in two places at a time forks for the second. */
	sleep(_task: task_struct): void {
		this.runnable--;
	}

	wake(_task: task_struct): void {
		this.runnable++;
		this.woken = true;
		this.drive();
	}

	private drive(): void {
		if (this.driving !== null) return;
		this.driving = this.loop().then((stuck) => {
			this.driving = null;
			if (stuck ? this.runnable > 0 || this.goals.length > 0 : this.wanted()) this.drive();
		});
	}

	private wanted(): boolean {
		return this.jobs > 0 || this.goals.length > 0 || this.runnable > 0;
	}

	/** Return: whether it ended since every process sleeps and nothing will ever happen. */
	private async loop(): Promise<boolean> {
		const clock = this.clock;
		let started = this.pace > 0 ? { real: performance.now(), virtual: clock.now } : null;
		for (;;) {
			const woken = this.woken;
			this.woken = false;
			for (let i = 0; (this.runnable > 0 || (woken && i < 4)) && i < MICROTASKS; i++) await null;
			if (this.runnable > 0) {
				await macrotask();
				continue;
			}
			if (!this.wanted()) return false;
			if (started !== null) {
				const due =
					started.real + (Math.min(clock.next_time, this.goals[0]?.at ?? Infinity) - started.virtual) / 1e6 / this.pace;
				const wait = due - performance.now();
				if (wait > 1) {
					await new Promise((resolve) => setTimeout(resolve, Math.min(wait, 50)));
					if (wait > 50) continue;
				}
				started = { real: performance.now(), virtual: Math.max(clock.now, started.virtual) };
			}
			const goal = this.goals.length > 0 ? this.goals[0].at : Infinity;
			// Many events in a row, until one gives a process something to do.
			let n = 0;
			while (!this.woken && clock.step(goal)) {
				if (++n >= 10000) break;
			}
			if (this.woken) continue;
			if (clock.next_time > goal) {
				if (goal > clock.now) clock.now = goal;
				this.goals.shift()!.resolve();
				await null;
			} else if (clock.size === 0 && this.goals.length === 0) {
				// Only something from outside can wake them.
				return true;
			}
			if (n >= 10000) await macrotask();
		}
	}
}
