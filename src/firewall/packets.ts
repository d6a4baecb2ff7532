/*
 * firewall/packets.ts: packets as tests in TypeScript write them: tcp('198.51.100.7:40000', '203.0.113.5:443').on('eth0').
 */
import { durationNs } from '../lab/world.ts';
import { buildPacket } from '../trace/sending.ts';

interface PacketOptions {
	/** A device; '' the host itself sends it; undefined: its source decides. */
	dev?: string;
	after?: TestPacket;
	/** ns that pass before. */
	at: number;
}

/** A packet and where it comes from. Never changes: `on` and the others give new ones. */
export class TestPacket {
	/** The packet in words, 'reply' or 'again'. */
	readonly words: string;
	readonly options: Readonly<PacketOptions>;

	/** Throws PacketError. */
	constructor(words: string, options: PacketOptions = { at: 0 }) {
		if (words !== 'reply' && words !== 'again') buildPacket(words.split(/\s+/));
		this.words = words;
		this.options = options;
	}

	/** It comes in by this device. */
	on(dev: string): TestPacket {
		return new TestPacket(this.words, { ...this.options, dev });
	}

	/** The host itself sends it. */
	out(): TestPacket {
		return new TestPacket(this.words, { ...this.options, dev: '' });
	}

	/** Further words of the short form: `with('flags SA ttl 3')`. */
	with(words: string): TestPacket {
		return new TestPacket(`${this.words} ${words}`, this.options);
	}

	/** Another packet comes first. */
	after(packet: TestPacket): TestPacket {
		return new TestPacket(this.words, { ...this.options, after: packet });
	}

	/** So much time passes first: a span such as '5m', or ms. */
	later(span: string | number): TestPacket {
		return new TestPacket(this.words, { ...this.options, at: durationNs(span as Parameters<typeof durationNs>[0]) });
	}

	toString(): string {
		const { dev, after } = this.options;
		const where = dev === undefined ? '' : dev === '' ? ' sent by the host itself' : ` on ${dev}`;
		return `${this.words}${where}${after === undefined ? '' : ` after ${after}`}`;
	}
}

export function tcp(src: string, dst: string): TestPacket {
	return new TestPacket(`tcp ${src} ${dst}`);
}

export function udp(src: string, dst: string): TestPacket {
	return new TestPacket(`udp ${src} ${dst}`);
}

export function icmp(src: string, dst: string): TestPacket {
	return new TestPacket(`icmp ${src} ${dst}`);
}

/** A packet in words: the short form or scapy's notation. */
export function packet(words: string): TestPacket {
	return new TestPacket(words);
}

/** The answer to a packet. */
export function reply(to: TestPacket): TestPacket {
	return new TestPacket('reply', { after: to, at: 0 });
}
