/*
 * user/ethtool/ioctl.ts: SIOCETHTOOL, one function for each struct that is asked for.    Original: linux/ethtool.h
 */
import { get_unaligned_le32, put_unaligned_le32 } from '../../lib/byteorder.ts';
import {
	ETH_GSTRING_LEN,
	ETH_SS_FEATURES,
	ETHTOOL_GFEATURES,
	ETHTOOL_GSSET_INFO,
	ETHTOOL_GSTRINGS,
	ETHTOOL_SFEATURES,
} from '../../uapi/linux/ethtool.ts';
import { AF_INET, SOCK_DGRAM } from '../../uapi/linux/socket.ts';
import { SIOCETHTOOL } from '../../uapi/linux/sockios.ts';
import { type Process, utf8, utf8_decode } from '../libc.ts';

const IFREQ = 40;

/** A device as ethtool asks it. Calls return 0 or more, or -errno. */
export class device {
	readonly proc: Process;
	readonly name: string;
	private fd: number;

	constructor(proc: Process, name: string) {
		this.proc = proc;
		this.name = name;
		this.fd = proc.socket(AF_INET, SOCK_DGRAM, 0);
	}

	/** One command; `data` begins with it and is answered in place. */
	call(data: Uint8Array): number {
		const arg = new Uint8Array(IFREQ + data.length);
		arg.set(utf8(this.name).subarray(0, 15));
		arg.set(data, IFREQ);
		const r = this.proc.ioctl(this.fd, SIOCETHTOOL, arg);
		data.set(arg.subarray(IFREQ));
		return r;
	}

	/** A struct of 32-bit numbers behind the command. Return: the numbers, or -errno. */
	get(cmd: number, count: number): number[] | number {
		const data = new Uint8Array(4 + 4 * count);
		put_unaligned_le32(data, 0, cmd);
		const err = this.call(data);
		if (err < 0) return err;
		return Array.from({ length: count }, (_, i) => get_unaligned_le32(data, 4 + 4 * i));
	}

	set(cmd: number, values: readonly number[]): number {
		const data = new Uint8Array(4 + 4 * values.length);
		put_unaligned_le32(data, 0, cmd);
		for (let i = 0; i < values.length; i++) put_unaligned_le32(data, 4 + 4 * i, values[i]);
		return this.call(data);
	}

	/** Names of a string set; -errno, and no names where the device has no such set. */
	strings(set: number): string[] | number {
		const info = new Uint8Array(20);
		put_unaligned_le32(info, 0, ETHTOOL_GSSET_INFO);
		put_unaligned_le32(info, 8, 1 << set);
		let err = this.call(info);
		if (err < 0) return err;
		if (get_unaligned_le32(info, 8) === 0) return [];
		const count = get_unaligned_le32(info, 16);
		const data = new Uint8Array(12 + count * ETH_GSTRING_LEN);
		put_unaligned_le32(data, 0, ETHTOOL_GSTRINGS);
		put_unaligned_le32(data, 4, set);
		err = this.call(data);
		if (err < 0) return err;
		return Array.from({ length: count }, (_, i) => text_at(data, 12 + i * ETH_GSTRING_LEN, ETH_GSTRING_LEN));
	}

	/** The features and what may be done with each; -errno. */
	features(): feature[] | number {
		const names = this.strings(ETH_SS_FEATURES);
		if (typeof names === 'number') return names;
		const blocks = (names.length + 31) >> 5;
		const data = new Uint8Array(8 + 16 * blocks);
		put_unaligned_le32(data, 0, ETHTOOL_GFEATURES);
		put_unaligned_le32(data, 4, blocks);
		const err = this.call(data);
		if (err < 0) return err;
		return names.map((name, i) => {
			const bit = (word: number): boolean =>
				((get_unaligned_le32(data, 8 + 16 * (i >> 5) + 4 * word) >>> (i & 31)) & 1) !== 0;
			return { name, fixed: !bit(0) || bit(3), wanted: bit(1), active: bit(2) };
		});
	}

	/** Asks for features by index. Return: 0 or more, or -errno. */
	set_features(count: number, wish: ReadonlyMap<number, boolean>): number {
		const blocks = (count + 31) >> 5;
		const data = new Uint8Array(8 + 8 * blocks);
		put_unaligned_le32(data, 0, ETHTOOL_SFEATURES);
		put_unaligned_le32(data, 4, blocks);
		for (const [i, on] of wish) {
			const at = 8 + 8 * (i >> 5) + ((i & 31) >> 3);
			data[at] |= 1 << (i & 7);
			if (on) data[at + 4] |= 1 << (i & 7);
		}
		return this.call(data);
	}
}

export interface feature {
	name: string;
	fixed: boolean;
	wanted: boolean;
	active: boolean;
}

/** A C string in a field of `len` bytes. */
export function text_at(data: Uint8Array, at: number, len: number): string {
	return utf8_decode(data.subarray(at, at + len)).replace(/\0.*$/s, '');
}
