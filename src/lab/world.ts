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
 * Guests (sockets that code outside of the world holds) keep it going too: it hurries while something of theirs is under way, and keeps to
 * real time while they only wait: for what they wait may come from outside.
 */

import type { Scheduler, task_struct } from '../kernel/sched.ts';
import { EventQueue } from '../lib/event_queue.ts';
import { explain, type PacketJourney, type RuleLookup } from '../trace/explain.ts';
import { Recorder } from '../trace/recorder.ts';
import { Host, type HostOptions } from './host.ts';
import { ruleLines } from './import/snapshot.ts';
import { Link, type LinkOptions, type Plug, Switch } from './link.ts';

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

/** Code outside of the world that holds something in it (src/sockets: Node's and browsers' code with sockets). */
export interface Guest {
	/** It keeps the process that runs the world alive. */
	readonly alive: boolean;
	/** Something of its own is under way that time brings on: the world need not wait for a real clock. */
	busy(): boolean;
	/** The next thing to do outside: one callback. null: none. Each is called on its own, outside of the world's promises. */
	next(): (() => void) | null;
	/** It deals with a real network: time goes by a real clock while it is there. */
	readonly outside?: boolean;
	/** Takes what has come meanwhile, at once. Called before each batch of events, while there are any. */
	poll?(): void;
}

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

/** Runs `work` from the event loop: what it throws is nobody's rejection. */
function calledOutside(work: () => void): Promise<void> {
	return new Promise((resolve) => {
		const run = () => {
			try {
				work();
			} finally {
				resolve();
			}
		};
		if (typeof setImmediate === 'function') setImmediate(run);
		else {
			const channel = new MessageChannel();
			channel.port1.onmessage = () => {
				channel.port1.close();
				run();
			};
			channel.port2.postMessage(null);
		}
	});
}

const MICROTASKS = 64;
/** Callbacks of guests in a row, before something happens in the world. */
const GUEST_TURNS = 64;
/** Worlds without guests look this often (ms) whether anything came from outside. */
const LOOK_MS = 50;
/** A world that goes by a real clock lets the surroundings have their turn so often (ms), however much there is to do. */
const TURN_MS = 1;
const TIMEOUT_MAX = 2 ** 31 - 1;

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
	private guests: Set<Guest> = new Set();
	/** A real clock that virtual time goes by, while it does: where both were when that began, and virtual ms per real one. */
	private tempo: { real: number; virtual: number; rate: number } | null = null;
	/** Ends the loop's waiting for the real clock. */
	private nudge: (() => void) | null = null;

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

	/** Joins two NICs by a cable; either may be something outside. */
	link(a: Plug, b: Plug, options: LinkOptions = {}): Link {
		const link = new Link(this.clock, this.seed, a, b, options);
		this.links.push(link);
		return link;
	}

	/** A learning switch with these NICs plugged in. */
	switch(name: string, nics: Plug[] = [], options: LinkOptions = {}): Switch {
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

	/** @internal What the rules of all hosts say, as iptables-save prints them. */
	async ruleTexts(): Promise<RuleLookup> {
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
		// Whoever waits for it goes on before time does.
		this.woken = true;
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

	/** @internal A guest comes, or goes. */
	attach(guest: Guest): void {
		this.guests.add(guest);
		this.notify();
	}

	/** @internal */
	detach(guest: Guest): void {
		this.guests.delete(guest);
		this.notify();
	}

	/** @internal Guests have something to do, or something about them has changed. */
	notify(): void {
		this.woken = true;
		this.drive();
	}

	/** @internal Code from outside is about to call the kernel of a host: where time goes by a real clock, it is now what that says. */
	enter(): void {
		if (this.tempo !== null) {
			const t = Math.min(this.clock.next_time, this.tempoNow());
			if (t > this.clock.now) this.clock.now = t;
		}
		this.notify();
	}

	private drive(): void {
		this.nudge?.();
		if (this.driving !== null) return;
		// The loop begins at once, and what it wakes comes here again: a second loop would forget for the first one who was woken.
		this.driving = Promise.resolve();
		this.driving = this.loop().then((stuck) => {
			this.driving = null;
			this.tempo = null;
			// Stuck as it was, somebody may have started something meanwhile, and sleep by now.
			if (
				stuck && this.clock.size === 0
					? this.runnable > 0 || this.goals.length > 0 || this.guests.size > 0
					: this.wanted()
			)
				this.drive();
		});
	}

	private wanted(): boolean {
		return this.jobs > 0 || this.goals.length > 0 || this.runnable > 0 || this.guests.size > 0;
	}

	/** Virtual ms per real ms; 0: as fast as possible. */
	private rate(): number {
		if (this.pace > 0) return this.pace;
		for (const g of this.guests) if (g.outside === true) return 1;
		if (this.jobs > 0 || this.goals.length > 0) return 0;
		for (const g of this.guests) if (g.busy()) return 0;
		for (const l of this.links) if (l.carries) return 0;
		for (const s of this.switches.values()) if (s.carries) return 0;
		return 1;
	}

	private tempoNow(): number {
		const { real, virtual, rate } = this.tempo!;
		return Math.floor(virtual + (performance.now() - real) * 1e6 * rate);
	}

	/** Waits at most `ms` for the real clock; whatever happens meanwhile ends it. */
	private async doze(ms: number): Promise<void> {
		if (this.woken) return;
		let kept = this.jobs > 0 || this.goals.length > 0;
		for (const g of this.guests) kept ||= g.alive;
		await new Promise<void>((resolve) => {
			const timer = setTimeout(resolve, Math.min(ms, TIMEOUT_MAX));
			if (!kept && typeof timer === 'object') timer.unref();
			this.nudge = () => {
				clearTimeout(timer);
				resolve();
			};
		});
		this.nudge = null;
	}

	/** Lets guests do what they have to. Return: whether they are done. */
	private async visit(): Promise<boolean> {
		let turns = 0;
		for (const g of this.guests) {
			for (let work = g.next(); work !== null; work = g.next()) {
				await calledOutside(work);
				if (++turns >= GUEST_TURNS) return false;
			}
		}
		if (turns > 0) await macrotask();
		return true;
	}

	/** Return: whether it ended since every process sleeps and nothing will ever happen. */
	private async loop(): Promise<boolean> {
		const clock = this.clock;
		let turn = performance.now();
		for (;;) {
			const woken = this.woken;
			this.woken = false;
			if (this.tempo !== null && performance.now() - turn > TURN_MS) {
				await macrotask();
				turn = performance.now();
			}
			for (let i = 0; (this.runnable > 0 || (woken && i < 4)) && i < MICROTASKS; i++) await null;
			if (this.runnable > 0) {
				await macrotask();
				continue;
			}
			let most = 10000;
			if (this.guests.size > 0) {
				for (const g of this.guests) g.poll?.();
				if (!(await this.visit())) most = 1;
				else if (this.woken) continue;
			}
			if (!this.wanted()) return false;
			const goal = this.goals.length > 0 ? this.goals[0].at : Infinity;
			let until = goal;
			const rate = this.rate();
			if (rate === 0) this.tempo = null;
			else {
				if (this.tempo?.rate !== rate) this.tempo = { real: performance.now(), virtual: clock.now, rate };
				const next = Math.min(clock.next_time, goal);
				const wait = this.tempo.real + (next - this.tempo.virtual) / 1e6 / rate - performance.now();
				if (wait > 1) {
					await this.doze(this.guests.size > 0 ? wait : Math.min(wait, LOOK_MS));
					continue;
				}
				until = Math.min(goal, Math.max(next, this.tempoNow()));
			}
			// Many events in a row, until one gives a process something to do.
			let n = 0;
			const forGuests = rate === 0 && this.jobs === 0 && this.goals.length === 0;
			while ((!this.woken || most === 1) && n < most && clock.step(until)) {
				n++;
				if (forGuests && this.rate() !== 0) break;
			}
			if (this.woken) continue;
			if (clock.next_time > goal && until === goal) {
				if (goal > clock.now) clock.now = goal;
				this.goals.shift()!.resolve();
				await null;
			} else if (clock.size === 0 && this.goals.length === 0) {
				// Only something from outside can wake them.
				if (this.guests.size === 0) return true;
				await this.doze(Infinity);
			}
			if (n >= 10000) await macrotask();
		}
	}
}
