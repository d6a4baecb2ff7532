/*
 * user/iperf3/units.ts: numbers as iperf3 prints and reads them.
 */

/** 1.28 G, 895 K: four characters and a prefix; `base` 1024 for bytes, 1000 for bits. */
function scaled(n: number, base: number, fixed: string): { text: string; prefix: string } {
	const prefixes = ['', 'K', 'M', 'G', 'T'];
	let i = 0;
	if (fixed !== '') {
		i = prefixes.indexOf(fixed.toUpperCase());
		n /= base ** i;
	} else {
		while (n >= base && i < prefixes.length - 1) {
			n /= base;
			i++;
		}
	}
	const text = n < 9.995 ? n.toFixed(2) : n < 99.95 ? n.toFixed(1) : n.toFixed(0);
	return { text: text.padStart(4), prefix: prefixes[i] };
}

/** '1.28 GBytes' */
export function bytes(n: number): string {
	const { text, prefix } = scaled(n, 1024, '');
	return `${text} ${prefix}Bytes`;
}

/** '11.0 Gbits/sec'. `format`: -f: k, m, g, t for bits, K, M, G, T for bytes; '' chooses. */
export function rate(bitsPerSecond: number, format: string): string {
	if (/^[KMGT]$/.test(format)) {
		const { text, prefix } = scaled(bitsPerSecond / 8, 1024, format);
		return `${text} ${prefix}Bytes/sec`;
	}
	const { text, prefix } = scaled(bitsPerSecond, 1000, format);
	return `${text} ${prefix}bits/sec`;
}

/** '10M' as a number; `base` 1000 for rates, 1024 for sizes. NaN where it is none. */
export function unit(text: string, base: number): number {
	const m = /^(\d+(?:\.\d*)?|\.\d+)([kmgt]?)$/i.exec(text);
	if (m === null) return Number.NaN;
	return Math.floor(Number(m[1]) * base ** ['', 'k', 'm', 'g', 't'].indexOf(m[2].toLowerCase()));
}

/** '  0.00-1.00  ' */
export function span(from: number, to: number): string {
	return `${from.toFixed(2).padStart(6)}-${to.toFixed(2).padEnd(6)}`;
}
