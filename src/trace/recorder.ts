/*
 * trace/recorder.ts: follows packets: gives each one that comes into being while it listens a journey.
 */
import type { Machine } from '../kernel/machine.ts';
import { journey, type trace_record, type traced_output_route, type tracer } from '../kernel/trace.ts';
import type { sk_buff } from '../net/core/skbuff.ts';

export class Recorder implements tracer {
	/** Packets that came from nowhere we know: arrived, or were made by the host itself. In order. */
	roots: journey[] = [];
	/** Of the machine whose turn it is: a lookup and the packet that takes it are one call. */
	output_route: traced_output_route | null = null;
	/** Whether only the ends of journeys are asked for. */
	brief = false;
	private passed: Map<string, trace_record> = new Map();
	private next = 1;

	/** Listens on `machine` until `stop`. */
	start(machine: Machine): void {
		machine.tracer = this;
	}

	stop(machine: Machine): void {
		if (machine.tracer === this) machine.tracer = null;
	}

	/** Forgets what was seen; the next packet is a new journey. */
	take(): journey[] {
		const roots = this.roots;
		this.roots = [];
		return roots;
	}

	begin(_machine: Machine, _skb: sk_buff, parent: journey | null, origin: string): journey {
		const j = new journey(this.next++, parent, origin, this.brief ? this.passed : null);
		if (parent === null) this.roots.push(j);
		else parent.children.push(j);
		return j;
	}
}
