/*
 * user/getopt.ts: getopt(3) as the C library of GNU has it: options may stand behind the words.
 */

/** One step: an option, or what is wrong with one; `end` when only words are left. */
export type getopt_step =
	| { kind: 'opt'; opt: string; arg: string }
	| { kind: 'unknown' | 'missing'; opt: string }
	| { kind: 'end' };

/** Letters, each with : when it takes an argument. */
export class getopt {
	/** What is no option, in order. Complete at the end. */
	readonly words: string[] = [];
	private argv: readonly string[];
	private shorts: string;
	private at = 1;
	private cluster = '';

	constructor(argv: readonly string[], shorts: string) {
		this.argv = argv;
		this.shorts = shorts;
	}

	next(): getopt_step {
		while (this.cluster === '') {
			if (this.at >= this.argv.length) return { kind: 'end' };
			const word = this.argv[this.at++];
			if (word === '--') {
				this.words.push(...this.argv.slice(this.at));
				this.at = this.argv.length;
			} else if (word[0] === '-' && word.length > 1) this.cluster = word.slice(1);
			else this.words.push(word);
		}
		const opt = this.cluster[0];
		this.cluster = this.cluster.slice(1);
		const i = opt === ':' ? -1 : this.shorts.indexOf(opt);
		if (i < 0) return { kind: 'unknown', opt };
		if (this.shorts[i + 1] !== ':') return { kind: 'opt', opt, arg: '' };
		let arg = this.cluster;
		this.cluster = '';
		if (arg === '') {
			if (this.at >= this.argv.length) return { kind: 'missing', opt };
			arg = this.argv[this.at++];
		}
		return { kind: 'opt', opt, arg };
	}
}

/** What getopt(3) itself prints about a step that went wrong. */
export function getopt_message(program: string, step: { kind: 'unknown' | 'missing'; opt: string }): string {
	return step.kind === 'unknown'
		? `${program}: invalid option -- '${step.opt}'\n`
		: `${program}: option requires an argument -- '${step.opt}'\n`;
}
