/*
 * user/iptables/ext/bpf.ts: -m bpf.                                Original: extensions/libxt_bpf.c
 * A pinned object is never found: there is no bpf(2) here.
 */
import {
	get_unaligned_le16,
	get_unaligned_le32,
	put_unaligned_le16,
	put_unaligned_le32,
} from '../../../lib/byteorder.ts';
import { xt_bpf_info_v1 as info, XT_BPF_MAX_NUM_INSTR } from '../../../uapi/linux/netfilter/xt_bpf.ts';
import { PARAMETER_PROBLEM, type xt_extension, type xt_option_call } from '../xtables.ts';

const O_OBJ = 0;
const O_CODE = 1;

function parse_code(cb: xt_option_call): void {
	const d = cb.data;
	const head = /^\s*(\d+),/.exec(cb.arg);
	if (head === null) cb.bad('bpf: error parsing program length');
	const n = Number(head[1]);
	if (n === 0) cb.bad('bpf: illegal zero length program');
	if (n > XT_BPF_MAX_NUM_INSTR) cb.bad('bpf: number of instructions exceeds maximum');
	put_unaligned_le16(d, info.elem_num, n);
	const parts = cb.arg.slice(head[0].length).split(',');
	if (parts.at(-1) === '') parts.pop();
	let i = 0;
	for (const part of parts) {
		if (i >= n) cb.bad('bpf: real program length exceeds the encoded length parameter');
		const w = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)/.exec(part);
		if (w === null) cb.bad(`bpf: error at instr ${i}`);
		const o = info.program + i * 8;
		put_unaligned_le16(d, o, Number(w[1]));
		d[o + 2] = Number(w[2]);
		d[o + 3] = Number(w[3]);
		put_unaligned_le32(d, o + 4, Number(w[4]) >>> 0);
		i++;
	}
	if (i !== n) cb.bad('bpf: parsed program length is less than the encoded length parameter');
}

function program(d: Uint8Array): string {
	const out: string[] = [];
	for (let i = 0; i < get_unaligned_le16(d, info.elem_num); i++) {
		const o = info.program + i * 8;
		out.push(`${get_unaligned_le16(d, o)} ${d[o + 2]} ${d[o + 3]} ${get_unaligned_le32(d, o + 4)}`);
	}
	return out.join(',');
}

export const bpf_mt_reg: xt_extension = {
	kind: 'match',
	name: 'bpf',
	revision: 1,
	size: info.sizeof,
	userspacesize: info.filter,
	options: [
		{ name: 'object-pinned', id: O_OBJ, type: 'string', excl: 1 << O_CODE },
		{ name: 'bytecode', id: O_CODE, type: 'string', excl: 1 << O_OBJ },
	],
	help: ['--bytecode <program>', '--object-pinned <bpf object>'],
	parse(cb) {
		if (cb.entry.id === O_CODE) parse_code(cb);
		else cb.bad('bpf: failed to get bpf object');
	},
	final_check(cb) {
		if (cb.xflags === 0) cb.x.error(PARAMETER_PROBLEM, 'bpf: one of --bytecode or --pinned is required');
	},
	// The original's missing blank, and its zero byte at the end.
	print: (d) => `match bpf ${program(d)}\0`,
	save: (d) => ` --bytecode "${get_unaligned_le16(d, info.elem_num)},${program(d)}"`,
};
