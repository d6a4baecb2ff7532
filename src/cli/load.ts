/*
 * cli/load.ts: reads what `--host` names: a folder or tar of the capture script, or loose files.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { ImportError, parseSnapshot, SNAPSHOT_FILES, type Snapshot, sniff } from '../lab/import/snapshot.ts';

/** What the user asked for cannot be done; the message is for people. */
export class UserError extends Error {}

const MAX_FILE = 256 * 1024 * 1024;

/** What the system says of a file, without its name, which stands before it. */
function reason(e: unknown): string {
	return e instanceof Error ? e.message.replace(/,? ?(open|read|stat|scandir)?( '.*')?$/, '') : String(e);
}

function bytes(path: string): Uint8Array {
	try {
		if (statSync(path).size > MAX_FILE) throw new UserError(`${path}: larger than ${MAX_FILE} bytes`);
		return readFileSync(path);
	} catch (e) {
		if (e instanceof UserError) throw e;
		throw new UserError(`${path}: ${reason(e)}`);
	}
}

/** A whole file as text. Throws UserError. */
export function readText(path: string): string {
	return new TextDecoder().decode(bytes(path));
}

/** Files that say something of a host's network; the others only go with them. */
const MEANINGFUL = SNAPSHOT_FILES.filter((f) => !['host', 'notes', 'rt_tables'].includes(f));

function checkSome(path: string, names: Iterable<string>): void {
	for (const n of names) if ((MEANINGFUL as readonly string[]).includes(n)) return;
	throw new UserError(
		`${path}: none of the files that 'linnet capture-script' collects is there (${MEANINGFUL.slice(0, 7).join(', ')}, …)`,
	);
}

async function fromTar(path: string): Promise<Map<string, string>> {
	let archive = bytes(path);
	const files = new Map<string, string>();
	try {
		if (archive[0] === 0x1f && archive[1] === 0x8b) archive = gunzipSync(archive, { maxOutputLength: MAX_FILE });
		for (const entry of await unpackTar(archive)) {
			if (entry.header.type !== 'file') continue;
			if ((entry.data?.length ?? 0) !== entry.header.size)
				throw new Error(`it ends within ${JSON.stringify(entry.header.name.slice(0, 60))}: cut short?`);
			files.set(basename(entry.header.name), new TextDecoder().decode(entry.data));
		}
	} catch (e) {
		throw new UserError(`${path}: not a whole tar archive (${e instanceof Error ? e.message : e})`);
	}
	checkSome(path, files.keys());
	return files;
}

/** Reads `paths` (one folder, one tar, or loose files) as one host. */
export async function loadSnapshot(paths: string[]): Promise<Snapshot> {
	const files = new Map<string, string>();
	const real = new Map<string, string>();
	for (const path of paths) {
		let info: ReturnType<typeof statSync>;
		try {
			info = statSync(path);
		} catch {
			throw new UserError(`${path}: no such file or folder`);
		}
		if (info.isDirectory()) {
			let names: string[];
			try {
				names = readdirSync(path).filter((n) => (SNAPSHOT_FILES as readonly string[]).includes(n));
			} catch (e) {
				throw new UserError(`${path}: ${reason(e)}`);
			}
			checkSome(path, names);
			for (const n of names) files.set(n, readText(join(path, n)));
		} else if (/\.(tar|tgz|tar\.gz)$/.test(path)) {
			for (const [n, t] of await fromTar(path)) files.set(n, t);
		} else {
			const t = readText(path);
			const kind = (SNAPSHOT_FILES as readonly string[]).includes(basename(path)) ? basename(path) : sniff(t);
			if (kind === null)
				throw new UserError(
					`${path}: not recognised; expected what iptables-save, 'ip -j', 'sysctl -a' or 'conntrack -L' prints`,
				);
			files.set(kind, t);
			real.set(kind, basename(path));
		}
	}
	checkSome(paths.join(', '), files.keys());
	let snapshot: Snapshot;
	try {
		snapshot = parseSnapshot(files);
	} catch (e) {
		throw e instanceof ImportError ? e.renamed(real) : e;
	}
	snapshot.names = real;
	// Loose files are named as the user named them.
	for (const r of snapshot.ruleLines) r.file = real.get(r.file) ?? r.file;
	if (snapshot.ruleset !== null) snapshot.ruleset.file = real.get(snapshot.ruleset.file) ?? snapshot.ruleset.file;
	if (snapshot.name === 'host') snapshot.name = basename(paths[0]).replace(/\.(tar|tgz|tar\.gz)$/, '') || 'host';
	return snapshot;
}
