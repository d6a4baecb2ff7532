/*
 * firewall/check.ts: compares what became of a packet with what was expected of it.
 */
import type { JourneyAction, PacketJourney } from '../trace/explain.ts';
import { configLine, reasonLine } from '../trace/render.ts';
import type { Expectation, Verdict } from './spec.ts';

/** One thing that is not as expected. */
export interface Mismatch {
	what: string;
	expected: string;
	actual: string;
}

const PASSED: readonly JourneyAction[] = ['forward', 'send', 'deliver', 'answer', 'consume'];

/** It passed the firewall, though nobody listens. */
function unheard(j: PacketJourney): boolean {
	return j.action === 'drop' && j.reason === 'NO_SOCKET';
}

/** Whether a journey's end is what a verdict's word means. `reason`: the one that is expected, too. */
export function isVerdict(j: PacketJourney, verdict: Verdict, reason?: string): boolean {
	switch (verdict) {
		case 'accept':
			return PASSED.includes(j.action) || unheard(j);
		case 'drop':
			// A closed port is no firewall's work.
			return j.action === 'drop' && (!unheard(j) || reason === 'NO_SOCKET');
		case 'deliver':
			return j.action === 'deliver' || j.action === 'answer' || j.action === 'consume';
		default:
			return j.action === verdict;
	}
}

/** `table/chain/number` of every rule that matched and every policy that decided; number 0 is the policy. */
export function rulesHit(j: PacketJourney): string[] {
	const out: string[] = [];
	for (const s of j.steps) {
		const { table, chain, rulenum } = s.data;
		if (s.fn !== 'ipt_do_table' || typeof table !== 'string' || typeof chain !== 'string') continue;
		out.push(`${table}/${chain}/${typeof rulenum === 'number' ? rulenum : 0}`);
	}
	return out;
}

/** The same of the packet and of all that it caused. */
export function allHit(j: PacketJourney): string[] {
	return [j, ...j.caused, ...j.continued].flatMap((x) => (x === j ? rulesHit(x) : allHit(x)));
}

/** What became of it, in one line. */
export function outcome(j: PacketJourney): string {
	const words: string[] = [j.action];
	if (j.out !== undefined) words.push(`out ${j.out.dev}`);
	if (j.action === 'deliver' || j.out !== undefined)
		if (j.end !== undefined) words.push(`to ${j.end.dst} from ${j.end.src}`);
	const reason = reasonLine(j);
	const config = configLine(j);
	const why = reason === '' && j.why !== undefined ? ` (${j.why})` : '';
	return `${words.join(' ')}${reason === '' ? '' : `: ${reason}`}${config === '' ? '' : ` (${config})`}${why}`;
}

/** `ADDRESS` of `ADDRESS:PORT`, where only that was asked. */
function isAt(actual: string, expected: string): boolean {
	return actual === expected || (!expected.includes(':') && actual.split(':')[0] === expected);
}

const words = (text: string): string => text.trim().split(/\s+/).join(' ');

/** The rules that decided: of what did not pass the one that ended it, else every one that matched. */
function isRule(j: PacketJourney, rule: string, text: (key: string) => string | undefined): boolean {
	const keys = j.rule !== undefined ? [`${j.rule.table}/${j.rule.chain}/${j.rule.num}`] : rulesHit(j);
	if (rule.startsWith('-A ')) return keys.some((k) => words(text(k) ?? '') === words(rule));
	const m = /^([a-z]+)\/(\S+?)(?: (?:rule )?(\d+)| (policy))?$/.exec(rule);
	if (m === null) return false;
	const start = `${m[1]}/${m[2]}/`;
	if (m[4] !== undefined) return keys.includes(`${start}0`);
	return m[3] === undefined ? keys.some((k) => k.startsWith(start)) : keys.includes(start + m[3]);
}

function ruleSaid(j: PacketJourney): string {
	const name = (table: string, chain: string, num: number): string => `${table}/${chain} ${num > 0 ? num : 'policy'}`;
	if (j.rule !== undefined) return name(j.rule.table, j.rule.chain, j.rule.num);
	const hit = rulesHit(j).map((k) => {
		const m = /^(.*?)\/(.*)\/(\d+)$/.exec(k)!;
		return name(m[1], m[2], Number(m[3]));
	});
	return hit.length === 0 ? 'no rule' : hit.join(', ');
}

/** Where a journey differs from what was expected. `from`: source address as it was sent; `text`: a rule's text by `table/chain/number`. */
export function check(
	j: PacketJourney,
	e: Expectation,
	from: string | null,
	text: (key: string) => string | undefined = () => undefined,
): Mismatch[] {
	const out: Mismatch[] = [];
	const no = (what: string, expected: string, actual: string): void => {
		out.push({ what, expected, actual });
	};
	if (j.action === 'undecided') {
		no('expect', e.expect ?? 'a packet that can be judged', outcome(j));
		return out;
	}
	if (e.expect !== undefined && !isVerdict(j, e.expect, e.reason)) no('expect', e.expect, outcome(j));
	if (e.reason !== undefined && j.reason !== e.reason) no('reason', e.reason, j.reason ?? `none: ${j.action}`);
	if (e.rule !== undefined && !isRule(j, e.rule, text)) no('rule', e.rule, ruleSaid(j));
	if (e.out !== undefined && e.out !== '' && (e.expect === undefined || isVerdict(j, 'accept')) && j.out?.dev !== e.out)
		no('out', e.out, j.out?.dev ?? `none: ${j.action}`);
	const gone = !isVerdict(j, 'accept');
	for (const key of ['to', 'dst', 'src'] as const) {
		const list = e[key];
		if (list === undefined) continue;
		const actual = key === 'src' ? j.end?.src : j.end?.dst;
		if (gone) {
			// That it went nowhere was said, unless nobody asked.
			if (e.expect === undefined) no(key, list.join(' or '), `nowhere: ${outcome(j)}`);
		} else if (actual === undefined || !list.some((x) => isAt(actual, x)))
			no(key, list.join(' or '), actual ?? 'not known');
	}
	if (e.mark !== undefined && ((j.end?.mark ?? 0) & e.mark.mask) >>> 0 !== (e.mark.value & e.mark.mask) >>> 0)
		no(
			'mark',
			`0x${e.mark.value.toString(16)}${e.mark.mask === 0xffffffff ? '' : `/0x${e.mark.mask.toString(16)}`}`,
			`0x${(j.end?.mark ?? 0).toString(16)}`,
		);
	if (e.masquerade !== undefined && !gone) {
		const src = j.end?.src.split(':')[0] ?? '';
		const done = from !== null && src !== from;
		if (done !== e.masquerade) no('masquerade', String(e.masquerade), `${done}: it leaves from ${src}`);
	}
	return out;
}
