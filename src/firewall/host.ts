/*
 * firewall/host.ts: a captured host for tests: every question is asked of one as it was imported.
 */
import { ImportError } from '../lab/import/error.ts';
import { type ImportedHost, importHost } from '../lab/import/import.ts';
import type { Snapshot } from '../lab/import/snapshot.ts';
import { World } from '../lab/world.ts';
import { Runner, statefulRules } from './runner.ts';

/** Imports a host anew, always the same. Throws ImportError. */
export async function importFresh(snapshot: Snapshot): Promise<ImportedHost> {
	const imp = await importHost(new World({ seed: 1 }), snapshot).catch((e: unknown) => {
		throw e instanceof ImportError ? e.renamed(snapshot.names) : e;
	});
	for (const n of imp.notes) n.where = snapshot.names.get(n.where) ?? n.where;
	return imp;
}

/** A captured host. */
export class FirewallHost {
	readonly snapshot: Snapshot;
	/** @internal */
	readonly runner: Runner;

	constructor(snapshot: Snapshot) {
		this.snapshot = snapshot;
		this.runner = new Runner([], () => importFresh(snapshot), statefulRules(snapshot));
	}

	get name(): string {
		return this.snapshot.name;
	}

	/** What was assumed or left out of it, in words. */
	async notes(): Promise<string[]> {
		return (await importFresh(this.snapshot)).notes.map((n) => `${n.kind}: ${n.where}: ${n.text}`);
	}
}
