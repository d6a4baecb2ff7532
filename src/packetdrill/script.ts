/*
 * packetdrill/script.ts: a packetdrill script, read: options, events, packets, calls.
 * The language: github.com/google/packetdrill, Syntax.md.
 */

/** An error in a script, with its place. */
export class ScriptError extends Error {
	constructor(file: string, line: number, message: string) {
		super(`${file}:${line}: ${message}`);
		this.name = 'ScriptError';
	}
}

/** When an event is due, in us. `end`: a range (`+0~+.1`), or for a call that blocks, when it returns. */
export interface When {
	kind: 'absolute' | 'relative' | 'any';
	at: number;
	/** Packets: the latest; calls: the return (0...0.1). */
	end: number | null;
}

export interface TcpOption {
	kind: 'nop' | 'eol' | 'mss' | 'wscale' | 'sackOK' | 'sack' | 'TS' | 'FO' | 'FOEXP' | 'md5';
	value: number;
	ecr: number;
	blocks: [number, number][];
	/** Cookie or digest in hex; null for "whatever". */
	hex: string | null;
}

export interface TcpSpec {
	kind: 'tcp';
	/** Letters of S F R P U E W A and `.`; '-' for none. */
	flags: string;
	seq: number;
	end: number;
	len: number;
	ack: number | null;
	win: number | null;
	urg: number | null;
	/** null: not checked (`<...>`). */
	options: TcpOption[] | null;
}

export interface UdpSpec {
	kind: 'udp';
	len: number;
}

export interface IcmpSpec {
	kind: 'icmp';
	type: string;
	code: string | null;
	mtu: number | null;
	/** What it quotes: a TCP range or a UDP length. */
	echoed: { seq: number; end: number; len: number } | { udp: number } | null;
}

export interface PacketEvent {
	action: 'packet';
	inbound: boolean;
	ecn: 'noecn' | 'ect0' | 'ect1' | 'ect01' | 'ce' | null;
	tos: number | null;
	ttl: number | null;
	spec: TcpSpec | UdpSpec | IcmpSpec;
	/** As written. */
	text: string;
}

/** An argument or a result of a call. */
export type Expr =
	| { e: 'any' }
	| { e: 'int'; v: number }
	| { e: 'name'; v: string }
	| { e: 'string'; v: string; more: boolean }
	| { e: 'or'; a: Expr; b: Expr }
	| { e: 'array'; v: Expr[] }
	| { e: 'struct'; v: Map<string, Expr> }
	/** An iovec: { ..., LEN } */
	| { e: 'tuple'; v: Expr[] }
	| { e: 'call'; name: string; args: Expr[] };

export interface CallEvent {
	action: 'call';
	name: string;
	args: Expr[];
	result: Expr;
	/** The error's name, without its note. */
	errno: string | null;
	text: string;
}

export interface CommandEvent {
	action: 'command';
	script: string;
}

export interface CodeEvent {
	action: 'code';
	code: string;
}

export interface Event {
	line: number;
	when: When;
	what: PacketEvent | CallEvent | CommandEvent | CodeEvent;
}

export interface Script {
	file: string;
	/** `--name=value` lines. */
	options: { name: string; value: string; line: number }[];
	/** Run before all events. */
	init: { script: string; line: number } | null;
	events: Event[];
	/** A command without a time, after all events. */
	cleanup: { script: string; line: number } | null;
}
