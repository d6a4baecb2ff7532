/*
 * user/iptables/ext/linnet_unknown.ts: a match or target that we do not have, kept as the text it was.      No original.
 */
import { cstring, utf8_encode } from '../rule.ts';
import { XTOPT_MAND, type xt_extension, type xt_option_call } from '../xtables.ts';

const MAX_TEXT = 1024;

function put_text(cb: xt_option_call): void {
	cb.data.fill(0);
	cb.data.set(utf8_encode(cb.arg).subarray(0, MAX_TEXT - 1));
}

const text = (d: Uint8Array): string => cstring(d, 0, d.length);

export const unknown_mt_reg: xt_extension = {
	kind: 'match',
	name: 'linnet_unknown',
	revision: 0,
	size: MAX_TEXT,
	options: [{ name: 'text', id: 0, type: 'raw', flags: XTOPT_MAND }],
	parse: put_text,
	print: (d) => ` unknown(${text(d)})`,
	save: (d) => ' ' + text(d),
};

export const unknown_tg_reg: xt_extension = { ...unknown_mt_reg, kind: 'target' };
