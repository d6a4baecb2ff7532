/*
 * cli/load.ts: reads what `--host` names: a folder or tar of the capture script, or loose files.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { parseSnapshot, SNAPSHOT_FILES, type Snapshot, sniff } from '../lab/import/snapshot.ts';

/** What the user asked for cannot be done; the message is for people. */
export class UserError extends Error {}

const MAX_FILE = 256 * 1024 * 1024;

function text(path: string): string {
	if (statSync(path).size > MAX_FILE) throw new UserError(`${path}: larger than ${MAX_FILE} bytes`);
	return readFileSync(path, 'utf8');
}

async function fromTar(path: string): Promise<Map<string, string>> {
	let bytes: Uint8Array = readFileSync(path);
	if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = gunzipSync(bytes, { maxOutputLength: MAX_FILE });
	const files = new Map<string, string>();
	try {
		for (const entry of await unpackTar(bytes)) {
			if (entry.header.type === 'file' && entry.data !== undefined)
				files.set(basename(entry.header.name), new TextDecoder().decode(entry.data));
		}
	} catch (e) {
		throw new UserError(`${path}: not a tar archive (${e instanceof Error ? e.message : e})`);
	}
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
			const names = readdirSync(path).filter((n) => (SNAPSHOT_FILES as readonly string[]).includes(n));
			if (names.length === 0)
				throw new UserError(
					`${path}: none of the files that 'linnet capture-script' collects is there (${SNAPSHOT_FILES.slice(1, 8).join(', ')}, …)`,
				);
			for (const n of names) files.set(n, text(join(path, n)));
		} else if (/\.(tar|tgz|tar\.gz)$/.test(path)) {
			for (const [n, t] of await fromTar(path)) files.set(n, t);
		} else {
			const t = text(path);
			const kind = (SNAPSHOT_FILES as readonly string[]).includes(basename(path)) ? basename(path) : sniff(t);
			if (kind === null)
				throw new UserError(
					`${path}: not recognised; expected what iptables-save, 'ip -j', 'sysctl -a' or 'conntrack -L' prints`,
				);
			files.set(kind, t);
			real.set(kind, basename(path));
		}
	}
	const snapshot = parseSnapshot(files);
	// Loose files are named as the user named them.
	for (const r of snapshot.ruleLines) r.file = real.get(r.file) ?? r.file;
	if (snapshot.ruleset !== null) snapshot.ruleset.file = real.get(snapshot.ruleset.file) ?? snapshot.ruleset.file;
	if (snapshot.name === 'host') snapshot.name = basename(paths[0]).replace(/\.(tar|tgz|tar\.gz)$/, '') || 'host';
	return snapshot;
}
