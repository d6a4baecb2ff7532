/*
 * sockets/cause.ts: why a connection was not made: where in the world its SYN, or what came of it, ended.
 *
 * Only the packets that connect() itself makes are followed, over all machines, with their retransmissions and their answers; and only the ends of
 * their journeys are kept. While no connection is being made nothing is traced; and where somebody traces the world already, they are left alone.
 */
import { journey, type trace_record, type traced_output_route, type tracer } from '../kernel/trace.ts';
import type { Host, PacketJourney, RuleRef, World } from '../lab/index.ts';
import { reasonLine } from '../lab/index.ts';
import type { sk_buff } from '../net/core/skbuff.ts';
import { explain } from '../trace/explain.ts';

/** Where the packet of a failed connection ended. */
export interface JourneyEnd {
	/** In a line: `NETFILTER_DROP at filter/FORWARD rule 3: -A FORWARD -p tcp -j DROP`. */
	message: string;
	/** The kernel's drop reason, without the prefix; 'LINK_LOST' where a cable lost it; undefined where it was not dropped. */
	reason?: string;
	/** drop, reject, lost, queue, … */
	action: PacketJourney['action'];
	/** The iptables rule that decided; number 0 is the chain's policy. */
	rule?: RuleRef;
	sysctl?: { name: string; value: string };
	/** MIB counter that the drop bumped. */
	counter?: string;
	/** The host where it ended. */
	machine: string;
	/** The kernel function, or the cable. */
	location: string;
	why?: string;
	/** The packet as it came there. */
	packet: string;
	/** ms since the world began. */
	time: number;
}

/** How many connections at a time are followed, at most. */
const FOLLOWED = 256;
/** Records of one attempt, at most: a SYN is sent again six times. */
const RECORDS = 4000;

/** One connection attempt. */
export class Attempt {
	readonly roots: journey[] = [];
	open = true;
	size = 0;
}

class AttemptJourney extends journey {
	readonly attempt: Attempt;

	constructor(id: number, parent: journey | null, origin: string, attempt: Attempt, passed: Map<string, trace_record>) {
		super(id, parent, origin, passed);
		this.attempt = attempt;
	}
}

/** Drops that say nothing about a connection: the socket's own end, frames that a switch sent to everybody. */
const EFFECTS = new Set(['TCP_RESET', 'OTHERHOST', 'TCP_CLOSE', 'SOCKET_CLOSE', 'NOT_SPECIFIED', 'UNHANDLED_PROTO']);

/** Follows the connection attempts of a host. */
export class ConnectTracer implements tracer {
	output_route: traced_output_route | null = null;
	private host: Host;
	private collecting: Attempt | null = null;
	private attempts = 0;
	private passed: Map<string, trace_record> = new Map();
	private id = 1;

	constructor(host: Host) {
		this.host = host;
	}

	private get world(): World {
		return this.host.world;
	}

	/** Calls `connect`, and follows what it sends. Return: null where nothing can be followed. */
	begin_attempt(connect: () => void): Attempt | null {
		if (this.attempts >= FOLLOWED) {
			connect();
			return null;
		}
		const attempt = new Attempt();
		if (this.attempts++ === 0)
			for (const h of this.world.hosts.values()) if (h.machine.tracer === null) h.machine.tracer = this;
		this.collecting = attempt;
		try {
			connect();
		} finally {
			this.collecting = null;
		}
		return attempt;
	}

	/** It is over. */
	end_attempt(attempt: Attempt): void {
		if (!attempt.open) return;
		attempt.open = false;
		if (--this.attempts === 0)
			for (const h of this.world.hosts.values()) if (h.machine.tracer === this) h.machine.tracer = null;
	}

	begin(machine: Host['machine'], _skb: sk_buff, parent: journey | null, origin: string): journey | null {
		if (parent === null) {
			const attempt = this.collecting;
			if (attempt === null || machine !== this.host.machine) return null;
			const j = new AttemptJourney(this.id++, null, origin, attempt, this.passed);
			attempt.roots.push(j);
			return j;
		}
		if (!(parent instanceof AttemptJourney) || !parent.attempt.open || ++parent.attempt.size > RECORDS) return null;
		const j = new AttemptJourney(this.id++, parent, origin, parent.attempt, this.passed);
		parent.children.push(j);
		return j;
	}
}

interface Last {
	journey: journey | null;
	time: number;
}

function endOf(j: journey, ends: Last, leaf: Last): void {
	for (const r of j.records) {
		if (r.ts >= leaf.time) {
			leaf.time = r.ts;
			leaf.journey = j;
		}
		const dropped = r.kind === 'drop' && !EFFECTS.has(String(r.detail?.reason));
		if ((dropped || (r.kind === 'link' && r.detail?.event === 'lost')) && r.ts >= ends.time) {
			ends.time = r.ts;
			ends.journey = j;
		}
	}
	for (const c of j.children) endOf(c, ends, leaf);
}

/** Where the attempt's packets ended last; undefined where none was seen. */
export async function journeyEnd(world: World, attempt: Attempt): Promise<JourneyEnd | undefined> {
	const ends: Last = { journey: null, time: -1 };
	const leaf: Last = { journey: null, time: -1 };
	for (const j of attempt.roots) endOf(j, ends, leaf);
	const found = ends.journey !== null ? ends : leaf;
	if (found.journey === null) return undefined;
	const look = await world.ruleTexts();
	const j = explain(found.journey, look, true);
	const end: JourneyEnd = {
		message: '',
		action: j.action,
		machine: j.machine,
		location: j.at ?? '',
		packet: j.packet,
		time: found.time / 1e6,
	};
	if (j.action === 'lost') {
		end.reason = 'LINK_LOST';
		const lost = found.journey.records.findLast((r) => r.kind === 'link');
		end.location = String(lost?.detail?.link ?? '');
		if (j.why !== undefined) end.why = j.why;
		end.message = `lost: ${j.why ?? end.location}`;
		return end;
	}
	if (j.reason !== undefined) end.reason = j.reason;
	if (j.rule !== undefined) end.rule = j.rule;
	if (j.sysctl !== undefined) end.sysctl = j.sysctl;
	if (j.counter !== undefined) end.counter = j.counter;
	if (j.why !== undefined) end.why = j.why;
	end.message = `${reasonLine(j) || (j.why ?? j.action)} on ${j.machine}`;
	return end;
}

/** Of a connection for which there was no route: nothing was sent at all. */
export function noRoute(host: Host, address: string): JourneyEnd {
	return {
		message: `no route to ${address} on ${host.name}`,
		reason: 'IP_OUTNOROUTES',
		action: 'drop',
		counter: 'IpOutNoRoutes',
		machine: host.name,
		location: 'ip_route_output_key_hash',
		why: `no route to ${address}`,
		packet: '',
		time: host.world.now,
	};
}
