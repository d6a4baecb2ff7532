/*
 * user/iptables/ext/named.ts: numbers that /etc/iproute2 has names for: groups of devices, realms.  Original: xtables_parse_val_mask, xtables_lmap
 * The names are those that the files come with.
 */
import { strtoul } from '../netdb.ts';
import type { xt_option_call } from '../xtables.ts';
import { hex } from './mark.ts';

export type name_map = readonly (readonly [string, number])[];

export const DEVGROUPS: name_map = [['default', 0]];
export const REALMS: name_map = [['cosmos', 0]];

/** name, value or value/mask, to cb.value and cb.mask. */
export function parse_val_mask(cb: xt_option_call, names: name_map): void {
	const which = `option "--${cb.entry.name}"`;
	cb.mask = 0xffffffff;
	const n = strtoul(cb.arg);
	if (n === null) {
		const hit = names.find(([name]) => name === cb.arg);
		if (hit === undefined) cb.bad(`${cb.ext.name}: could not map name ${cb.arg} to an integer value for ${which}.\n`);
		cb.value = hit[1];
		return;
	}
	const bad = `${cb.ext.name}: bad integer value for ${which}, or out of range.\n`;
	if (n.value > 0xffffffff) cb.bad(bad);
	cb.value = n.value;
	let rest = n.rest;
	if (rest[0] === '/') {
		const m = strtoul(rest.slice(1));
		if (m === null || m.value > 0xffffffff) cb.bad(bad);
		cb.mask = m.value;
		rest = m.rest;
	}
	if (rest !== '') cb.bad(`${cb.ext.name}: trailing garbage after value for ${which}.\n`);
}

export function val_mask_text(value: number, mask: number, names: name_map, numeric: boolean): string {
	if (mask !== 0xffffffff) return `${hex(value)}/${hex(mask)}`;
	const hit = numeric ? undefined : names.find(([, v]) => v === value);
	return hit !== undefined ? hit[0] : hex(value);
}
