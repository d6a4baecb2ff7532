/*
 * user/procps/sysctl.ts: reads and writes /proc/sys.               Original: sysctl(8) of procps-ng 4.0.2
 */
import { EINVAL, EISDIR, ENOENT, strerror } from '../../uapi/asm-generic/errno.ts';
import { type Process, utf8_decode } from '../libc.ts';

const USAGE = `
Usage:
 sysctl [options] [variable[=value] ...]

Options:
  -a, --all            display all variables
  -A                   alias of -a
  -X                   alias of -a
      --deprecated     include deprecated parameters to listing
      --dry-run        Print the key and values but do not write
  -b, --binary         print value without new line
  -e, --ignore         ignore unknown variables errors
  -N, --names          print variable names without values
  -n, --values         print only values of the given variable(s)
  -p, --load[=<file>]  read values from file
  -f                   alias of -p
      --system         read values from all system directories
  -r, --pattern <expression>
                       select setting that match expression
  -q, --quiet          do not echo variable set
  -w, --write          enable writing a value to variable
  -o                   does nothing
  -x                   does nothing
  -d                   alias of -h

 -h, --help     display this help and exit
 -V, --version  output version information and exit

For more details see sysctl(8).
`;

interface Settings {
	names: boolean;
	values: boolean;
	binary: boolean;
	ignore: boolean;
	quiet: boolean;
	dryRun: boolean;
	pattern: RegExp | null;
}

/** `net.ipv4.conf.eth0/10.x` and `net/ipv4/conf/eth0.10/x` as a path: the first separator found says which one it is. */
function keyPath(name: string): string {
	const first = /[./]/.exec(name);
	if (first === null || first[0] === '/') return name;
	return name.replace(/[./]/g, (c) => (c === '.' ? '/' : '.'));
}

function dotted(path: string): string {
	return path.replace(/[./]/g, (c) => (c === '/' ? '.' : '/'));
}

async function show(proc: Process, path: string, s: Settings): Promise<number> {
	const name = dotted(path);
	const value = await proc.readFile('/proc/sys/' + path);
	if (value === -EISDIR) return showAll(proc, path, s);
	if (typeof value === 'number') {
		if (value === -ENOENT) {
			if (s.ignore) return 0;
			proc.stderr.write(`sysctl: cannot stat /proc/sys/${path}: ${strerror(ENOENT)}\n`);
			return 1;
		}
		// What can only be written is passed over without a word.
		return 0;
	}
	if (s.pattern !== null && !s.pattern.test(name)) return 0;
	if (s.names) {
		proc.stdout.write(name + '\n');
		return 0;
	}
	const text = value.replace(/\n$/, '');
	for (const line of text.split('\n')) {
		if (s.binary) proc.stdout.write(line);
		else proc.stdout.write((s.values ? '' : name + ' = ') + line + '\n');
	}
	return 0;
}

async function showAll(proc: Process, dir: string, s: Settings): Promise<number> {
	const names = await proc.readdir('/proc/sys' + (dir === '' ? '' : '/' + dir));
	if (typeof names === 'number') return 1;
	let status = 0;
	for (const n of names) status |= await show(proc, dir === '' ? n : dir + '/' + n, { ...s, ignore: true });
	return status;
}

async function set(proc: Process, path: string, value: string, s: Settings, ignore: boolean): Promise<number> {
	const name = dotted(path);
	if (!s.dryRun) {
		const err = await proc.writeFile('/proc/sys/' + path, value + '\n');
		if (err === -ENOENT || err === -EISDIR) {
			if (s.ignore) return 0;
			proc.stderr.write(`sysctl: cannot stat /proc/sys/${path}: ${strerror(ENOENT)}\n`);
			return ignore ? 0 : 1;
		}
		if (err < 0) {
			if (ignore) return 0;
			if (err === -EINVAL || err === -34) proc.stderr.write(`sysctl: setting key "${name}": ${strerror(-err)}\n`);
			else proc.stderr.write(`sysctl: permission denied on key "${name}"\n`);
			return 1;
		}
	}
	if (!s.quiet) {
		if (s.names) proc.stdout.write(name + '\n');
		else if (s.values || s.binary) proc.stdout.write(value + (s.binary ? '' : '\n'));
		else proc.stdout.write(`${name} = ${value}\n`);
	}
	return 0;
}

/** Expands `*` in a key as files do. */
async function expand(proc: Process, path: string): Promise<string[]> {
	let found = [''];
	for (const part of path.split('/')) {
		const next: string[] = [];
		for (const base of found) {
			if (!/[*?]/.test(part)) {
				next.push(base === '' ? part : `${base}/${part}`);
				continue;
			}
			const names = await proc.readdir('/proc/sys/' + base);
			if (typeof names === 'number') continue;
			const re = new RegExp(
				'^' +
					part
						.replace(/[.+^${}()|[\]\\]/g, '\\$&')
						.replaceAll('*', '.*')
						.replaceAll('?', '.') +
					'$',
			);
			for (const n of names) if (re.test(n)) next.push(base === '' ? n : `${base}/${n}`);
		}
		found = next;
	}
	return found;
}

async function assign(proc: Process, text: string, where: string, s: Settings): Promise<number> {
	const eq = text.indexOf('=');
	if (eq < 0) {
		proc.stderr.write(`sysctl: ${where}: invalid syntax, continuing...\n`);
		return 1;
	}
	let key = text.slice(0, eq).trim();
	const value = text.slice(eq + 1).trim();
	const ignore = key.startsWith('-');
	if (ignore) key = key.slice(1);
	if (key === '') {
		proc.stderr.write(`sysctl: ${where}: invalid syntax, continuing...\n`);
		return 1;
	}
	let status = 0;
	for (const path of await expand(proc, keyPath(key))) status |= await set(proc, path, value, s, ignore);
	return status;
}

async function load(proc: Process, file: string, s: Settings): Promise<number> {
	const text = file === '-' ? utf8_decode(proc.stdin) : await proc.readFile(file);
	if (typeof text === 'number') {
		proc.stderr.write(`sysctl: cannot open "${file}": ${strerror(-text)}\n`);
		return 1;
	}
	let status = 0;
	const lines = text.split('\n');
	const good: [string, string][] = [];
	for (let i = 0; i < lines.length; i++) {
		const line = lines[i].trim();
		if (line === '' || line[0] === '#' || line[0] === ';') continue;
		const where = `${file}(${i + 1})`;
		if (line.split('=')[0].replace(/^-/, '').trim() === '' || !line.includes('='))
			status |= await assign(proc, line, where, s);
		else good.push([line, where]);
	}
	// The file is read to its end before anything is set.
	for (const [line, where] of good) status |= await assign(proc, line, where, s);
	return status;
}

export async function sysctl(proc: Process): Promise<number> {
	const s: Settings = {
		names: false,
		values: false,
		binary: false,
		ignore: false,
		quiet: false,
		dryRun: false,
		pattern: null,
	};
	const words: string[] = [];
	let all = false;
	let write = false;
	let loading = false;
	const args = proc.argv.slice(1);
	const usage = (status: number): number => {
		(status === 0 ? proc.stdout : proc.stderr).write(USAGE);
		return status;
	};
	if (args.length === 0) return usage(1);
	const take = (flag: string): number | null => {
		switch (flag) {
			case 'a':
			case 'A':
			case 'X':
				all = true;
				return null;
			case 'b':
				s.binary = true;
				return null;
			case 'e':
				s.ignore = true;
				return null;
			case 'N':
				s.names = true;
				return null;
			case 'n':
				s.values = true;
				return null;
			case 'p':
			case 'f':
				loading = true;
				return null;
			case 'q':
				s.quiet = true;
				return null;
			case 'w':
				write = true;
				return null;
			case 'o':
			case 'x':
				return null;
			case 'd':
			case 'h':
				return usage(0);
			case 'V':
				proc.stdout.write('sysctl from procps-ng 4.0.2\n');
				return 0;
			default:
				proc.stderr.write(`sysctl: invalid option -- '${flag}'\n`);
				return usage(1);
		}
	};
	const long: Record<string, string> = {
		all: 'a',
		binary: 'b',
		ignore: 'e',
		names: 'N',
		values: 'n',
		load: 'p',
		quiet: 'q',
		write: 'w',
		help: 'h',
		version: 'V',
	};
	for (let i = 0; i < args.length; i++) {
		const a = args[i];
		if (a.startsWith('--') && a.length > 2) {
			const [name, value] = a.slice(2).split(/=(.*)/s);
			if (name === 'dry-run') s.dryRun = true;
			else if (name === 'deprecated') continue;
			else if (name === 'pattern') s.pattern = new RegExp(value ?? args[++i] ?? '');
			else if (name === 'system') loading = true;
			else if (long[name] !== undefined) {
				const r = take(long[name]);
				if (r !== null) return r;
				if (name === 'load' && value !== undefined) words.push(value);
			} else {
				proc.stderr.write(`sysctl: unrecognized option '--${name}'\n`);
				return usage(1);
			}
		} else if (a.startsWith('-') && a.length > 1) {
			for (let k = 1; k < a.length; k++) {
				if (a[k] === 'r') {
					s.pattern = new RegExp(a.slice(k + 1) || (args[++i] ?? ''));
					break;
				}
				const r = take(a[k]);
				if (r !== null) return r;
			}
		} else words.push(a);
	}
	if (all) return showAll(proc, '', s);
	if (loading) {
		let status = 0;
		for (const f of words.length > 0 ? words : ['/etc/sysctl.conf']) status |= await load(proc, f, s);
		return status;
	}
	if (words.length === 0) {
		proc.stderr.write("sysctl: no variables specified\nTry `sysctl --help' for more information.\n");
		return 1;
	}
	let status = 0;
	for (const w of words) {
		if (write || w.includes('=')) status |= await assign(proc, w, 'command line(0)', s);
		else for (const path of await expand(proc, keyPath(w))) status |= await show(proc, path, s);
	}
	return status;
}
