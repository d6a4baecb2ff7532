/*
 * user/iputils/iputils_common.ts: numbers on the command line.     Original: iputils 20221126, iputils_common.c
 */

export const LONG_MAX = '9223372036854775807';
export const INT_MAX = 2147483647;

/** A decimal number between `min` and `max`. Return: it, or what the program says of it. */
export function strtol_or_err(text: string, min: number, max: number | typeof LONG_MAX): number | string {
	const head = `invalid argument: '${text}'`;
	if (!/^\s*[-+]?\d+$/.test(text)) return head;
	const v = Number(text);
	if (Math.abs(v) > 2 ** 63 || (v > Number.MAX_SAFE_INTEGER && padded(text) > LONG_MAX))
		return `${head}: Numerical result out of range`;
	const top = typeof max === 'number' ? max : Infinity;
	return v < min || v > top ? `${head}: out of range: ${min} <= value <= ${max}` : v;
}

/** Digits padded so that text order is number order. */
function padded(text: string): string {
	return text
		.trim()
		.replace(/^\+?0*/, '')
		.padStart(LONG_MAX.length, '0');
}

/** strtod(3): the number at the beginning, and what follows it. */
export function strtod(text: string): { value: number; rest: string } {
	const m = /^\s*[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|inf(?:inity)?|nan)/i.exec(text);
	if (m === null) return { value: 0, rest: text };
	const word = m[0].trim().toLowerCase();
	const value = word.includes('inf') ? (word[0] === '-' ? -Infinity : Infinity) : Number(word);
	return { value, rest: text.slice(m[0].length) };
}
