/*
 * lib/event_queue.ts: the one clock of a world: a binary heap of one-shot events, ordered by time and then by when they were asked for.
 */

/** Something that happens once at a time. `run` is a module-level function; `owner` is what it acts on. */
export class clock_event {
	/** When, in ns since the world began. */
	time = 0;
	seq = 0;
	/** Place in the heap, -1 when not queued. */
	slot = -1;
	run: (ev: clock_event) => void;
	owner: unknown;

	constructor(run: (ev: clock_event) => void, owner: unknown) {
		this.run = run;
		this.owner = owner;
	}
}

/** What a machine sees of time. */
export interface Clock {
	/** ns since the world began; a whole number below 2^53. */
	readonly now: number;
	/** Wall-clock time at `now` 0, in whole seconds since 1970. */
	readonly epoch: number;
	/** Queues `ev` for `time` (in the past: now), moving it if it is queued already. */
	schedule(ev: clock_event, time: number): void;
	/** Takes `ev` out. Return: whether it was queued. */
	cancel(ev: clock_event): boolean;
}

export class EventQueue implements Clock {
	now = 0;
	epoch: number;
	private heap: clock_event[] = [];
	private seq = 0;

	constructor(epoch = 1767225600) {
		this.epoch = epoch;
	}

	get size(): number {
		return this.heap.length;
	}

	/** Time of the next event; Infinity when there is none. */
	get next_time(): number {
		return this.heap.length > 0 ? this.heap[0].time : Infinity;
	}

	schedule(ev: clock_event, time: number): void {
		ev.time = time > this.now ? time : this.now;
		ev.seq = ++this.seq;
		if (ev.slot < 0) {
			ev.slot = this.heap.length;
			this.heap.push(ev);
			this.up(ev);
		} else {
			const slot = ev.slot;
			this.up(ev);
			if (ev.slot === slot) this.down(ev);
		}
	}

	cancel(ev: clock_event): boolean {
		if (ev.slot < 0) return false;
		this.remove(ev);
		return true;
	}

	/** Runs the next event if it is due by `until`. Return: whether one ran. */
	step(until: number): boolean {
		if (this.heap.length === 0) return false;
		const ev = this.heap[0];
		if (ev.time > until) return false;
		this.remove(ev);
		this.now = ev.time;
		ev.run(ev);
		return true;
	}

	private remove(ev: clock_event): void {
		const heap = this.heap;
		const last = heap.pop()!;
		if (last !== ev) {
			last.slot = ev.slot;
			heap[last.slot] = last;
			const slot = last.slot;
			this.up(last);
			if (last.slot === slot) this.down(last);
		}
		ev.slot = -1;
	}

	private up(ev: clock_event): void {
		const heap = this.heap;
		let i = ev.slot;
		while (i > 0) {
			const p = (i - 1) >> 1;
			const parent = heap[p];
			if (parent.time < ev.time || (parent.time === ev.time && parent.seq < ev.seq)) break;
			heap[i] = parent;
			parent.slot = i;
			i = p;
		}
		heap[i] = ev;
		ev.slot = i;
	}

	private down(ev: clock_event): void {
		const heap = this.heap;
		const n = heap.length;
		let i = ev.slot;
		for (;;) {
			let c = 2 * i + 1;
			if (c >= n) break;
			let child = heap[c];
			if (c + 1 < n) {
				const r = heap[c + 1];
				if (r.time < child.time || (r.time === child.time && r.seq < child.seq)) {
					child = r;
					c++;
				}
			}
			if (ev.time < child.time || (ev.time === child.time && ev.seq < child.seq)) break;
			heap[i] = child;
			child.slot = i;
			i = c;
		}
		heap[i] = ev;
		ev.slot = i;
	}
}
