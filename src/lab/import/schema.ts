/*
 * lab/import/schema.ts: which fields `ip -j` prints, and of which kind: an import believes nothing that it has not looked at.
 */
import { ImportError } from './error.ts';

/** What a field may hold. Fields that are not named are not looked at. */
export type Kind = 'string' | 'number' | 'boolean' | 'text' | 'null' | 'strings' | Fields | [Fields];
export interface Fields {
	[field: string]: Kind;
}

const EXPECTED: Record<string, string> = {
	string: 'a string',
	number: 'a whole number',
	boolean: 'true or false',
	text: 'a string or a number',
	null: 'null',
	strings: 'an array of strings',
};

const NEXTHOP: Fields = {
	gateway: 'string',
	via: { family: 'string', host: 'string' },
	dev: 'string',
	weight: 'number',
	flags: 'strings',
};

export const LINK: Fields = {
	ifindex: 'number',
	ifname: 'string',
	flags: 'strings',
	mtu: 'number',
	operstate: 'string',
	link_type: 'string',
	address: 'string',
	master: 'string',
	link: 'string',
	txqlen: 'number',
	linkinfo: { info_kind: 'string', info_slave_kind: 'string' },
	ifalias: 'string',
};

export const ADDRESS: Fields = {
	...LINK,
	addr_info: [
		{
			family: 'string',
			local: 'string',
			address: 'string',
			prefixlen: 'number',
			broadcast: 'string',
			scope: 'string',
			label: 'string',
			secondary: 'boolean',
			dynamic: 'boolean',
			noprefixroute: 'boolean',
			metric: 'number',
			valid_life_time: 'number',
			preferred_life_time: 'number',
		},
	],
};

export const ROUTE: Fields = {
	...NEXTHOP,
	type: 'string',
	dst: 'string',
	table: 'text',
	protocol: 'string',
	scope: 'string',
	prefsrc: 'string',
	metric: 'number',
	tos: 'string',
	metrics: [{}],
	nexthops: [NEXTHOP],
};

export const RULE: Fields = {
	priority: 'number',
	src: 'string',
	srclen: 'number',
	dst: 'string',
	dstlen: 'number',
	not: 'null',
	tos: 'string',
	fwmark: 'string',
	fwmask: 'string',
	iif: 'string',
	oif: 'string',
	uid_start: 'number',
	uid_end: 'number',
	ipproto: 'text',
	sport: 'text',
	sport_start: 'number',
	sport_end: 'number',
	dport: 'text',
	dport_start: 'number',
	dport_end: 'number',
	table: 'text',
	action: 'string',
	goto: 'number',
	nop: 'null',
	suppress_prefixlen: 'number',
	protocol: 'string',
};

export const NEIGH: Fields = { dst: 'string', dev: 'string', lladdr: 'string', state: 'strings' };

function is(v: unknown, kind: string): boolean {
	switch (kind) {
		case 'number':
			return typeof v === 'number' && Number.isInteger(v) && Math.abs(v) <= 0x1fffffffffffff;
		case 'text':
			return typeof v === 'string' || is(v, 'number');
		case 'null':
			return v === null;
		case 'strings':
			return Array.isArray(v) && v.every((x) => typeof x === 'string');
		default:
			return typeof v === kind;
	}
}

/** What is wrong with a row; null when nothing is. */
export function wrongField(row: unknown, fields: Fields, at = ''): string | null {
	if (typeof row !== 'object' || row === null || Array.isArray(row))
		return `${at === '' ? '' : `'${at}' is ${said(row)}, `}expected an object`;
	const r = row as Record<string, unknown>;
	for (const [name, kind] of Object.entries(fields)) {
		const v = r[name];
		if (v === undefined) continue;
		const path = at === '' ? name : `${at}.${name}`;
		if (typeof kind === 'string') {
			if (!is(v, kind)) return `'${path}' is ${said(v)}, expected ${EXPECTED[kind]}`;
		} else if (Array.isArray(kind)) {
			if (!Array.isArray(v)) return `'${path}' is ${said(v)}, expected an array`;
			for (const [i, x] of v.entries()) {
				// An address of another family may be an empty object.
				const wrong = wrongField(x, kind[0], `${path}[${i}]`);
				if (wrong !== null) return wrong;
			}
		} else {
			const wrong = wrongField(v, kind, path);
			if (wrong !== null) return wrong;
		}
	}
	return null;
}

function said(v: unknown): string {
	const text = JSON.stringify(v) ?? String(v);
	return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

/** That fields are there which an entry cannot do without. */
export function missingField(row: Record<string, unknown>, needed: readonly string[], fields: Fields): string | null {
	for (const n of needed) {
		if (row[n] === undefined) {
			const kind = fields[n];
			return `'${n}' is missing, expected ${typeof kind === 'string' ? EXPECTED[kind] : 'an array'}`;
		}
	}
	return null;
}

/** Rows of a file as `ip -j` prints them, looked at. null: the file is not there. Throws ImportError. */
export function jsonRows<T>(
	files: Map<string, string>,
	file: string,
	fields: Fields,
	needed: readonly string[],
): T[] | null {
	const text = files.get(file);
	if (text === undefined) return null;
	let rows: unknown;
	try {
		rows = JSON.parse(text);
	} catch (e) {
		const at = /position (\d+)/.exec(String(e));
		const line = at === null ? null : text.slice(0, Number(at[1])).split('\n').length;
		throw new ImportError(file, line, `not JSON as 'ip -j' prints it (${e instanceof Error ? e.message : e})`);
	}
	if (!Array.isArray(rows)) throw new ImportError(file, null, `expected a JSON array, as 'ip -j' prints it`);
	const out: T[] = [];
	for (const [i, row] of rows.entries()) {
		const empty = typeof row === 'object' && row !== null && !Array.isArray(row) && Object.keys(row).length === 0;
		if (empty) continue;
		const wrong = wrongField(row, fields) ?? missingField(row as Record<string, unknown>, needed, fields);
		if (wrong !== null) throw new ImportError(file, null, `entry ${i + 1}: ${wrong}`);
		out.push(row as T);
	}
	return out;
}
