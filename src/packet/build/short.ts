/*
 * packet/build/short.ts: the short form of a packet that the command line takes.
 * Grammar: tcp|udp SRC:PORT DST:PORT, or icmp SRC DST, or PROTO-NUMBER SRC DST; then any of
 *   ttl N, tos N, id N, len N (payload bytes), flags LETTERS (TCP) or DF|MF (others), df, seq N, ack N, win N, type T, code C,
 *   data TEXT, mark N.
 * IPv6 addresses with ports are written [2001:db8::1]:80.
 */

import { parseIp4, parseIp6 } from '../bytes.ts';
import { type Layer, nearest, PacketError, type Value } from './notation.ts';

export interface ShortPacket {
	readonly layers: Layer[];
	/** The packet mark that was asked for; 0 unless given. */
	readonly mark: number;
	/** How many words were taken: all of them, unless a word that is no option of ours came. */
	readonly used: number;
}

const OPTIONS = ['ttl', 'tos', 'id', 'len', 'flags', 'df', 'seq', 'ack', 'win', 'type', 'code', 'data', 'mark'];

class Words {
	readonly words: readonly string[];
	at = 0;
	constructor(words: readonly string[]) {
		this.words = words;
	}
	fail(message: string, at = this.at): never {
		throw new PacketError(`packet: word ${at + 1}: ${message}`, at + 1);
	}
	take(expected: string): string {
		const w = this.words[this.at];
		if (w === undefined) this.fail(`nothing came: expected ${expected}`);
		this.at++;
		return w;
	}
	number(expected: string, max: number): number {
		const w = this.take(expected);
		const n = /^(0[xX][0-9a-fA-F]+|\d+)$/.test(w) ? Number(w) : Number.NaN;
		if (!(n <= max)) this.fail(`"${w}" came: expected ${expected} from 0 to ${max}`, this.at - 1);
		return n;
	}
}

function endpoint(w: Words, ports: boolean): { address: string; v6: boolean; port: number } {
	const expected = ports ? 'ADDRESS:PORT' : 'ADDRESS';
	const word = w.take(expected);
	const m = ports ? /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(word) : /^(?:\[([^\]]+)\]|(.+))$/.exec(word);
	const address = m === null ? '' : (m[1] ?? m[2]);
	const v6 = parseIp6(address) !== null;
	const port = ports && m !== null ? Number(m[3]) : 0;
	if (m === null || (!v6 && parseIp4(address) === null) || port > 65535 || (ports && v6 && m[1] === undefined))
		w.fail(`"${word}" came: expected ${expected}, such as ${ports ? '203.0.113.5:443' : '203.0.113.5'}`, w.at - 1);
	return { address, v6, port };
}

/** Reads the short form from words. Stops before a word that is no option, unless strict. Throws PacketError. */
export function parseShort(words: readonly string[], strict = true): ShortPacket {
	const w = new Words(words);
	const proto = w.take('tcp, udp, icmp or a protocol number').toLowerCase();
	const number = /^\d+$/.test(proto) && Number(proto) < 256 ? Number(proto) : -1;
	if (!['tcp', 'udp', 'icmp'].includes(proto) && number < 0)
		w.fail(`"${words[0]}" came: expected tcp, udp, icmp or a protocol number`, 0);
	const ports = proto === 'tcp' || proto === 'udp';
	const src = endpoint(w, ports);
	const dst = endpoint(w, ports);
	if (src.v6 !== dst.v6) w.fail('one address is IPv4 and the other IPv6', w.at - 1);
	const ip: Record<string, Value> = { src: src.address, dst: dst.address };
	const l4: Record<string, Value> = ports ? { sport: src.port, dport: dst.port } : {};
	let payload: string | Uint8Array = '';
	let mark = 0;
	while (w.at < words.length) {
		const option = words[w.at];
		if (!OPTIONS.includes(option)) {
			if (!strict) break;
			const near = nearest(option, OPTIONS);
			w.fail(`"${option}" came: expected ${near === null ? OPTIONS.join(', ') : `${near}?`}`);
		}
		w.at++;
		if (option === 'ttl') ip[src.v6 ? 'hlim' : 'ttl'] = w.number('a TTL', 255);
		else if (option === 'tos') ip[src.v6 ? 'tc' : 'tos'] = w.number('a TOS', 255);
		else if (option === 'id') ip['id'] = w.number('an IP id', 65535);
		else if (option === 'df') ip['flags'] = 'DF';
		else if (option === 'len') payload = 'x'.repeat(w.number('a payload length', 65507));
		else if (option === 'data') payload = w.take('the payload');
		else if (option === 'mark') mark = w.number('a mark', 0xffffffff);
		else if (option === 'flags') {
			const text = w.take('flags');
			if (proto === 'tcp' && !/^[FSRPAUECN.]*$/i.test(text))
				w.fail(`"${text}" came: expected TCP flags such as S or SA`, w.at - 1);
			if (proto === 'tcp') l4['flags'] = text.toUpperCase().replaceAll('.', 'A');
			else if (/^(DF|MF|evil)(\+(DF|MF|evil))*$/.test(text)) ip['flags'] = text;
			else w.fail(`"${text}" came: expected DF or MF`, w.at - 1);
		} else if (option === 'type' || option === 'code') {
			if (proto !== 'icmp') w.fail(`${option} is for icmp only`, w.at - 1);
			l4[option] = w.number(`an ICMP ${option}`, 255);
		} else {
			if (proto !== 'tcp') w.fail(`${option} is for tcp only`, w.at - 1);
			if (option === 'win') l4['window'] = w.number('a window', 65535);
			else l4[option] = w.number(`a ${option} number`, 0xffffffff);
		}
	}
	if (src.v6 && (ip['flags'] !== undefined || ip['id'] !== undefined)) w.fail('flags, df and id are for IPv4 only');
	const layers: Layer[] = [{ layer: src.v6 ? 'IPv6' : 'IP', fields: ip }];
	if (number >= 0) ip[src.v6 ? 'nh' : 'proto'] = number;
	else if (proto === 'icmp') layers.push({ layer: src.v6 ? 'ICMPv6EchoRequest' : 'ICMP', fields: l4 });
	else layers.push({ layer: proto.toUpperCase(), fields: l4 });
	if (payload !== '') layers.push({ layer: 'Raw', fields: { load: payload } });
	return { layers, mark, used: w.at };
}

/** Does this word begin a packet in the short form? */
export function isShort(word: string): boolean {
	return ['tcp', 'udp', 'icmp'].includes(word.toLowerCase());
}
