/*
 * lib/event_queue.ts: the one clock of a world: one-shot events, ordered by time and then by when they were asked for.
 * Two binary heaps: what is soon, mostly of few events that come and go with each packet; and what is far (TIME_WAIT, keepalive), which
 * may be a hundred thousand timers that the former need not sift through. The next event is the earlier of the two first ones.
 */

/** Something that happens once at a time. `run` is a module-level function; `owner` is what it acts on. */
export class clock_event {
	/** When, in ns since the world began. */
	time = 0;
	seq = 0;
	/** Place in its heap, -1 when not queued. */
	slot = -1;
	/** Which heap. */
	far = false;
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

/** ns: what is asked for that much later is far. */
const FAR = 2e9;

function before(a: clock_event, b: clock_event): boolean {
	return a.time < b.time || (a.time === b.time && a.seq < b.seq);
}

/** Moves `ev` towards the root, to where it belongs. */
function up(heap: clock_event[], ev: clock_event): void {
	let i = ev.slot;
	while (i > 0) {
		const p = (i - 1) >> 1;
		const parent = heap[p];
		if (before(parent, ev)) break;
		heap[i] = parent;
		parent.slot = i;
		i = p;
	}
	heap[i] = ev;
	ev.slot = i;
}

/** Moves `ev` towards the leaves. */
function down(heap: clock_event[], ev: clock_event): void {
	const n = heap.length;
	let i = ev.slot;
	for (;;) {
		let c = 2 * i + 1;
		if (c >= n) break;
		let child = heap[c];
		if (c + 1 < n && before(heap[c + 1], child)) child = heap[++c];
		if (before(ev, child)) break;
		heap[i] = child;
		child.slot = i;
		i = c;
	}
	heap[i] = ev;
	ev.slot = i;
}

/** Its time has changed. */
function sift(heap: clock_event[], ev: clock_event): void {
	const slot = ev.slot;
	up(heap, ev);
	if (ev.slot === slot) down(heap, ev);
}

function remove(heap: clock_event[], ev: clock_event): void {
	const last = heap.pop()!;
	if (last !== ev) {
		last.slot = ev.slot;
		heap[last.slot] = last;
		sift(heap, last);
	}
	ev.slot = -1;
}

export class EventQueue implements Clock {
	now = 0;
	epoch: number;
	private near: clock_event[] = [];
	private far: clock_event[] = [];
	private seq = 0;

	constructor(epoch = 1767225600) {
		this.epoch = epoch;
	}

	get size(): number {
		return this.near.length + this.far.length;
	}

	/** Time of the next event; Infinity when there is none. */
	get next_time(): number {
		const ev = this.first();
		return ev === null ? Infinity : ev.time;
	}

	schedule(ev: clock_event, time: number): void {
		const far = time - this.now >= FAR;
		if (ev.slot >= 0 && ev.far !== far) remove(ev.far ? this.far : this.near, ev);
		ev.time = time > this.now ? time : this.now;
		ev.seq = ++this.seq;
		const heap = far ? this.far : this.near;
		if (ev.slot < 0) {
			ev.far = far;
			ev.slot = heap.length;
			heap.push(ev);
			up(heap, ev);
		} else sift(heap, ev);
	}

	cancel(ev: clock_event): boolean {
		if (ev.slot < 0) return false;
		remove(ev.far ? this.far : this.near, ev);
		return true;
	}

	/** Runs the next event if it is due by `until`. Return: whether one ran. */
	step(until: number): boolean {
		const ev = this.first();
		if (ev === null || ev.time > until) return false;
		remove(ev.far ? this.far : this.near, ev);
		this.now = ev.time;
		ev.run(ev);
		return true;
	}

	private first(): clock_event | null {
		const near = this.near;
		const far = this.far;
		if (far.length === 0) return near.length === 0 ? null : near[0];
		return near.length > 0 && before(near[0], far[0]) ? near[0] : far[0];
	}
}
