/*
 * user/iptables/getopt.ts: getopt_long(3) as iptables uses it: options in order, options added while reading.
 */

export interface long_option {
	name: string;
	has_arg: 'no' | 'required' | 'optional';
	/** A short option's letter. */
	val: string;
}

/** One word of the command line, read. */
export type getopt_result =
	| { kind: 'short'; val: string; arg: string | null }
	/** An option that an extension added; `index` into the list given. */
	| { kind: 'extra'; index: number; arg: string | null }
	| { kind: 'word'; arg: string }
	| { kind: 'unknown' }
	| { kind: 'missing' }
	| { kind: 'end' };

/** Letters, each with : for an argument, :: for one that may follow in the same word. */
export class getopt {
	argv: readonly string[];
	optind = 1;
	private shorts: string;
	private longs: readonly long_option[];
	/** Rest of a word of several short options. */
	private cluster = '';

	constructor(argv: readonly string[], shorts: string, longs: readonly long_option[]) {
		this.argv = argv;
		this.shorts = shorts;
		this.longs = longs;
	}

	/** `extra`: the extensions' options now, those to be found first in front. */
	next(extra: readonly { name: string; has_arg: boolean }[]): getopt_result {
		if (this.cluster !== '') return this.short();
		if (this.optind >= this.argv.length) return { kind: 'end' };
		const word = this.argv[this.optind];
		if (word === '--') {
			this.optind++;
			return { kind: 'end' };
		}
		if (word[0] !== '-' || word === '-') {
			this.optind++;
			return { kind: 'word', arg: word };
		}
		if (word.startsWith('--')) return this.long(word.slice(2), extra);
		this.cluster = word.slice(1);
		return this.short();
	}

	/** The word that gave the last trouble. */
	get last(): string {
		return this.argv[this.optind - 1];
	}

	private short(): getopt_result {
		const c = this.cluster[0];
		this.cluster = this.cluster.slice(1);
		const at = c === ':' ? -1 : this.shorts.indexOf(c);
		if (at < 0) {
			if (this.cluster === '') this.optind++;
			return { kind: 'unknown' };
		}
		if (this.shorts[at + 1] !== ':') {
			if (this.cluster === '') this.optind++;
			return { kind: 'short', val: c, arg: null };
		}
		const rest = this.cluster;
		this.cluster = '';
		this.optind++;
		if (rest !== '') return { kind: 'short', val: c, arg: rest };
		if (this.shorts[at + 2] === ':') return { kind: 'short', val: c, arg: null };
		if (this.optind >= this.argv.length) return { kind: 'missing' };
		return { kind: 'short', val: c, arg: this.argv[this.optind++] };
	}

	private long(word: string, extra: readonly { name: string; has_arg: boolean }[]): getopt_result {
		const eq = word.indexOf('=');
		const name = eq < 0 ? word : word.slice(0, eq);
		const value = eq < 0 ? null : word.slice(eq + 1);
		// Found by full name, or by a beginning that only one has.
		const hits: { base: long_option | null; index: number; has_arg: 'no' | 'required' | 'optional' }[] = [];
		let exact = -1;
		for (const o of this.longs) {
			if (!o.name.startsWith(name)) continue;
			if (o.name === name && exact < 0) exact = hits.length;
			hits.push({ base: o, index: -1, has_arg: o.has_arg });
		}
		for (let i = 0; i < extra.length; i++) {
			if (!extra[i].name.startsWith(name)) continue;
			if (extra[i].name === name && exact < 0) exact = hits.length;
			hits.push({ base: null, index: i, has_arg: extra[i].has_arg ? 'required' : 'no' });
		}
		this.optind++;
		if (hits.length === 0) return { kind: 'unknown' };
		let hit = hits[0];
		if (exact >= 0) hit = hits[exact];
		else if (hits.length > 1) {
			const same = hits.every((h) => h.base !== null && hit.base !== null && h.base.val === hit.base.val);
			if (!same) return { kind: 'unknown' };
		}
		let arg = value;
		if (hit.has_arg === 'no') {
			if (value !== null) return { kind: 'unknown' };
		} else if (hit.has_arg === 'required' && value === null) {
			if (this.optind >= this.argv.length) return { kind: 'missing' };
			arg = this.argv[this.optind++];
		}
		return hit.base !== null ? { kind: 'short', val: hit.base.val, arg } : { kind: 'extra', index: hit.index, arg };
	}
}
