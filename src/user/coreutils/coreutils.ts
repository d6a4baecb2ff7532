/*
 * user/coreutils/coreutils.ts: the small programs of coreutils and util-linux that must know virtual time or this kernel.
 * sleep, timeout, date, hostname, dmesg; everything else of theirs is the shell's own.
 */
import { errno_name } from '../../uapi/asm-generic/errno.ts';
import { type Process, SIGTERM } from '../libc.ts';

const UNITS: Record<string, number> = { '': 1, s: 1, m: 60, h: 3600, d: 86400 };

/** `1.5`, `2m` in ms; null where it is no span. */
function interval(text: string): number | null {
	const m = /^(\d+(?:\.\d*)?|\.\d+)([smhd]?)$/.exec(text);
	return m === null ? null : Number(m[1]) * UNITS[m[2]] * 1000;
}

export async function sleep(proc: Process): Promise<number> {
	const args = proc.argv.slice(1);
	if (args.length === 0) {
		proc.stderr.write("sleep: missing operand\nTry 'sleep --help' for more information.\n");
		return 1;
	}
	let ms = 0;
	for (const a of args) {
		const t = interval(a);
		if (t === null) {
			proc.stderr.write(`sleep: invalid time interval '${a}'\nTry 'sleep --help' for more information.\n`);
			return 1;
		}
		ms += t;
	}
	return (await proc.sleep(ms)) < 0 ? 130 : 0;
}

export async function timeout(proc: Process): Promise<number> {
	const args = proc.argv.slice(1);
	let signo = SIGTERM;
	while (args.length > 0 && args[0].startsWith('-')) {
		const a = args.shift()!;
		if (a === '-s') {
			const names: Record<string, number> = { INT: 2, TERM: 15, KILL: 9, HUP: 1 };
			const s = args.shift() ?? '';
			signo = names[s.replace(/^SIG/, '')] ?? Number(s);
		} else {
			proc.stderr.write(`timeout: unrecognized option '${a}'\nTry 'timeout --help' for more information.\n`);
			return 125;
		}
	}
	const ms = args.length === 0 ? null : interval(args[0]);
	if (ms === null || args.length < 2) {
		proc.stderr.write(
			args.length < 2
				? "timeout: missing operand\nTry 'timeout --help' for more information.\n"
				: `timeout: invalid time interval '${args[0]}'\nTry 'timeout --help' for more information.\n`,
		);
		return 125;
	}
	let expired = false;
	let ended = false;
	const clock = proc.fork('timeout');
	const alarm = clock.sleep(ms).then((r) => {
		if (r === 0 && !ended) {
			expired = true;
			proc.kill(signo);
		}
	});
	const status = await proc.exec(args.slice(1));
	ended = true;
	clock.interrupt();
	await alarm;
	clock.exit();
	return expired ? 124 : status;
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Broken-down UTC time of seconds since 1970. */
export function gmtime(sec: number): {
	year: number;
	month: number;
	day: number;
	hour: number;
	min: number;
	sec: number;
	wday: number;
} {
	const days = Math.floor(sec / 86400);
	const rest = sec - days * 86400;
	// Days to a civil date, counting years from March so that the leap day comes last.
	const z = days + 719468;
	const era = Math.floor(z / 146097);
	const doe = z - era * 146097;
	const yoe = Math.floor((doe - Math.floor(doe / 1460) + Math.floor(doe / 36524) - Math.floor(doe / 146096)) / 365);
	const doy = doe - (365 * yoe + Math.floor(yoe / 4) - Math.floor(yoe / 100));
	const mp = Math.floor((5 * doy + 2) / 153);
	const day = doy - Math.floor((153 * mp + 2) / 5) + 1;
	const month = mp < 10 ? mp + 3 : mp - 9;
	const year = yoe + era * 400 + (month <= 2 ? 1 : 0);
	return {
		year,
		month,
		day,
		hour: Math.floor(rest / 3600),
		min: Math.floor(rest / 60) % 60,
		sec: Math.floor(rest) % 60,
		wday: (((days + 4) % 7) + 7) % 7,
	};
}

const two = (n: number): string => String(n).padStart(2, '0');

/** strftime(3) for the conversions people use. */
export function strftime(format: string, t: { sec: number; nsec: number }): string {
	const g = gmtime(t.sec);
	return format.replace(/%([A-Za-z%])/g, (all, c: string) => {
		switch (c) {
			case '%':
				return '%';
			case 's':
				return String(t.sec);
			case 'N':
				return String(t.nsec).padStart(9, '0');
			case 'Y':
				return String(g.year);
			case 'y':
				return two(g.year % 100);
			case 'm':
				return two(g.month);
			case 'd':
				return two(g.day);
			case 'e':
				return String(g.day).padStart(2);
			case 'H':
				return two(g.hour);
			case 'M':
				return two(g.min);
			case 'S':
				return two(g.sec);
			case 'F':
				return `${g.year}-${two(g.month)}-${two(g.day)}`;
			case 'T':
				return `${two(g.hour)}:${two(g.min)}:${two(g.sec)}`;
			case 'a':
				return DAYS[g.wday];
			case 'b':
				return MONTHS[g.month - 1];
			case 'Z':
				return 'UTC';
			case 'z':
				return '+0000';
			default:
				return all;
		}
	});
}

export async function date(proc: Process): Promise<number> {
	const words = proc.argv.slice(1).filter((a) => a !== '-u');
	if (words.length > 1 || (words.length === 1 && !words[0].startsWith('+'))) {
		proc.stderr.write(`date: unsupported here: '${words[0]}'\n`);
		return 1;
	}
	proc.stdout.write(strftime(words.length === 1 ? words[0].slice(1) : '%a %b %e %T %Z %Y', proc.realtime()) + '\n');
	return 0;
}

export async function hostname(proc: Process): Promise<number> {
	proc.stdout.write(proc.hostname() + '\n');
	return 0;
}

export async function dmesg(proc: Process): Promise<number> {
	const text = await proc.readFile('/proc/kmsg');
	if (typeof text === 'number') {
		proc.stderr.write(`dmesg: read kernel buffer failed: ${errno_name(-text)}\n`);
		return 1;
	}
	for (const line of text.split('\n')) {
		const m = /^<\d+>\[\s*([\d.]+)\] (.*)$/.exec(line);
		if (m !== null) proc.stdout.write(proc.argv.includes('-t') ? m[2] + '\n' : `[${m[1].padStart(12)}] ${m[2]}\n`);
	}
	return 0;
}
