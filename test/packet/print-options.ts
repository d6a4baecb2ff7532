// tcpdump's flags as PrintOptions.

import type { PrintOptions } from '../../src/packet/print.ts';

export function printOptions(flags: readonly string[]): PrintOptions {
	const o: { -readonly [k in keyof PrintOptions]: PrintOptions[k] } = {};
	for (const letter of flags.join('').replaceAll('-', '')) {
		if (letter === 'n') o.n = true;
		else if (letter === 'e') o.e = true;
		else if (letter === 'q') o.q = true;
		else if (letter === 'S') o.S = true;
		else if (letter === '#') o.number = true;
		else if (letter === 'v') o.v = (o.v ?? 0) + 1;
		else if (letter === 'x') o.x = (o.x ?? 0) + 1;
		else if (letter === 'X') o.X = (o.X ?? 0) + 1;
		else if (letter === 'A') o.A = (o.A ?? 0) + 1;
		else if (letter === 't') o.t = (o.t ?? 0) + 1;
	}
	return o;
}
