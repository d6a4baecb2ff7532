/*
 * user/iptables/unknown.ts: keeps matches and targets that we do not have, as linnet_unknown.      No original: for importing hosts.
 *
 * The words of an unknown match, up to the next option that iptables itself knows, become the text of a match whose evaluation says
 * that it cannot say. A known extension with an option that we lack is treated alike.
 */
import { do_parse } from './command.ts';
import { type iptc_handle, iptc_is_chain, verdict_of } from './libiptc.ts';
import { find_extension, program_exit, xtables_globals, xtables_save_string } from './xtables.ts';

/** Options of iptables itself that end an extension's words. */
const BOUNDARY = new Set(
	(
		'-A -s -d -p -i -o -j -g -m -f -c --append --source --destination --src --dst --protocol --in-interface ' +
		'--out-interface --jump --goto --match --fragments --set-counters'
	).split(' '),
);

function quote(words: readonly string[]): string {
	return words.map((w) => (/^[!-~]+$/.test(w) && !/["'\\]/.test(w) ? w : xtables_save_string(w).slice(1))).join(' ');
}

/** Index behind the words that belong to the extension named at `from`. */
function extent(argv: readonly string[], from: number): number {
	let i = from;
	while (i < argv.length) {
		const w = argv[i];
		if (BOUNDARY.has(w)) break;
		if (w === '!' && i + 1 < argv.length && BOUNDARY.has(argv[i + 1])) break;
		i++;
	}
	return i;
}

/** Whether a rule with only these words can be read. Return: '' or why not. */
function refused(x: xtables_globals, argv: readonly string[]): string {
	const trial = new xtables_globals(x.program_name, x.sock, x.extensions);
	try {
		do_parse(trial, argv, 'filter');
		return '';
	} catch (e) {
		if (!(e instanceof program_exit)) throw e;
		const line = trial.err.join('').split('\n')[0];
		return line.replace(/^[^:]*: /, '');
	}
}

/** Replaces what is not known. Return: the new words, and why each was kept. */
export function keep_unknown(
	x: xtables_globals,
	argv: readonly string[],
	h: iptc_handle,
): { argv: string[]; why: string[] } {
	const out: string[] = [];
	const why: string[] = [];
	const proto = argv.findIndex((w) => w === '-p' || w === '--protocol');
	const proto_words = proto >= 0 ? argv.slice(argv[proto - 1] === '!' ? proto - 1 : proto, proto + 2) : [];
	for (let i = 0; i < argv.length; ) {
		const w = argv[i];
		const name = argv[i + 1];
		if ((w === '-m' || w === '--match') && name !== undefined) {
			const end = extent(argv, i + 2);
			const words = argv.slice(i, end);
			let reason = '';
			if (find_extension(x, 'match', name) === null) reason = `match ${name} is not known`;
			else reason = refused(x, [x.program_name, '-A', 'FORWARD', ...proto_words, ...words]);
			if (reason === '') out.push(...words);
			else {
				out.push('-m', 'linnet_unknown', '--text', quote(words));
				why.push(reason);
			}
			i = end;
			continue;
		}
		if ((w === '-j' || w === '--jump') && name !== undefined) {
			const end = extent(argv, i + 2);
			const words = argv.slice(i, end);
			let reason = '';
			if (verdict_of(name) === null && !iptc_is_chain(h, name)) {
				if (find_extension(x, 'target', name) === null) reason = `target ${name} is not known`;
				else reason = refused(x, [x.program_name, '-A', 'FORWARD', ...proto_words, ...words]);
			}
			if (reason === '') out.push(...words);
			else {
				out.push('-j', 'linnet_unknown', '--text', quote(words));
				why.push(reason);
			}
			i = end;
			continue;
		}
		out.push(w);
		i++;
	}
	return { argv: out, why };
}
