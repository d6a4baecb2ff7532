/*
 * user/iptables/rule_text.ts: a rule's text by where it stands: for what explains journeys.      No original.
 */
import { extensions } from './ext/index.ts';
import { iptc_find_chain, iptc_init, type iptc_socket } from './libiptc.ts';
import { save_rule } from './print.ts';

/** The rules of a table as iptables-save prints them, read at once: `texts(chain)[rulenum - 1]`. */
export function rule_texts(sock: iptc_socket, table: string): Map<string, string[]> {
	const out = new Map<string, string[]>();
	const h = iptc_init(sock, table);
	if (typeof h === 'number') return out;
	for (const c of h.chains)
		out.set(
			c.name,
			c.rules.map((r) => save_rule(extensions, c.name, r, 0)),
		);
	return out;
}

/** `rulenum` from 1, as `iptables -L --line-numbers` counts. Return: '' when there is no such rule. */
export function rule_text(sock: iptc_socket, table: string, chain: string, rulenum: number): string {
	const h = iptc_init(sock, table);
	if (typeof h === 'number') return '';
	const rule = iptc_find_chain(h, chain)?.rules[rulenum - 1];
	return rule === undefined ? '' : save_rule(extensions, chain, rule, 0);
}
