/*
 * user/curl/progress.ts: the meter that `curl` shows where its output is not for people.                          Original: curl(1) 7.88.1
 */
import type { Report } from './writeout.ts';

export const METER_HEAD =
	'  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n' +
	'                                 Dload  Upload   Total   Spent    Left  Speed\n';

/** A number in five columns. */
export function max5(n: number): string {
	const K = 1024;
	const M = K * K;
	const five = (v: number, unit: string): string => `${String(Math.floor(v)).padStart(5 - unit.length)}${unit}`;
	if (n < 100000) return five(n, '');
	if (n < 10000 * K) return five(n / K, 'k');
	if (n < 100 * M) return `${String(Math.floor(n / M)).padStart(2)}.${Math.floor((n % M) / (M / 10))}M`;
	if (n < 10000 * M) return five(n / M, 'M');
	return five(n / (M * K), 'G');
}

/** Seconds in eight columns. */
function clock(s: number): string {
	if (s < 1) return '--:--:--';
	const n = Math.floor(s);
	const two = (v: number): string => String(v).padStart(2, '0');
	return `${String(Math.floor(n / 3600)).padStart(2)}:${two(Math.floor(n / 60) % 60)}:${two(n % 60)}`;
}

/** One state of the meter, after `seconds`. */
export function meter_line(r: Report, seconds: number): string {
	const per = (n: number): number => (seconds > 0 ? n / seconds : 0);
	const total = r.size_download + r.size_upload;
	const p = (n: number): string => String(n > 0 ? 100 : 0).padStart(3);
	const speed = max5(Math.max(per(r.size_download), per(r.size_upload)));
	return (
		`\r${p(total)} ${max5(total)}  ${p(r.size_download)} ${max5(r.size_download)}  ${p(r.size_upload)} ${max5(r.size_upload)}  ` +
		`${max5(per(r.size_download))}  ${max5(per(r.size_upload))} ${clock(seconds)} ${clock(seconds)} --:--:-- ${speed}`
	);
}
