/*
 * lab/import/nft.ts: what of `nft -j list ruleset` is not iptables' own: linnet has no nf_tables yet, and must not let it pass unsaid.
 */
import { ImportError } from './error.ts';
import type { RuleLine } from './snapshot.ts';

export interface NftTable {
	family: string;
	name: string;
	/** Rules by chain. */
	chains: Map<string, number>;
	/** Base chains whose policy is drop. */
	drops: string[];
	/** Whether a chain hangs on a hook. */
	hooked: boolean;
}

export interface NftRules {
	tables: NftTable[];
}

/** Tables that iptables-nft makes. */
const IPTABLES = new Set(['filter', 'nat', 'mangle', 'raw', 'security']);
/** Families whose rules an IPv4 packet meets. */
const SEEN = new Set(['ip', 'inet', 'netdev']);

/** Reads what `nft -j list ruleset` printed. Throws ImportError. */
export function parseNft(file: string, text: string): NftRules {
	let root: unknown;
	try {
		root = JSON.parse(text);
	} catch (e) {
		throw new ImportError(
			file,
			null,
			`not JSON as 'nft -j list ruleset' prints it (${e instanceof Error ? e.message : e})`,
		);
	}
	const list = (root as { nftables?: unknown } | null)?.nftables;
	if (!Array.isArray(list))
		throw new ImportError(file, null, `expected {"nftables": […]}, as 'nft -j list ruleset' prints it`);
	const tables = new Map<string, NftTable>();
	const table = (family: unknown, name: unknown): NftTable => {
		const key = `${family} ${name}`;
		let t = tables.get(key);
		if (t === undefined) {
			t = { family: String(family), name: String(name), chains: new Map(), drops: [], hooked: false };
			tables.set(key, t);
		}
		return t;
	};
	for (const item of list as Record<string, Record<string, unknown> | undefined>[]) {
		if (typeof item !== 'object' || item === null) throw new ImportError(file, null, 'expected objects in "nftables"');
		if (item.table) table(item.table.family, item.table.name);
		if (item.chain) {
			const t = table(item.chain.family, item.chain.table);
			const name = String(item.chain.name);
			t.chains.set(name, t.chains.get(name) ?? 0);
			if (item.chain.hook !== undefined) t.hooked = true;
			if (item.chain.policy === 'drop') t.drops.push(name);
		}
		if (item.rule) {
			const t = table(item.rule.family, item.rule.table);
			const name = String(item.rule.chain);
			t.chains.set(name, (t.chains.get(name) ?? 0) + 1);
		}
	}
	return { tables: [...tables.values()] };
}

/** What an IPv4 packet meets on the real host and not here, a line each. `lines`: the rules that were imported. */
export function foreignRules(nft: NftRules, lines: readonly RuleLine[]): string[] {
	const out: string[] = [];
	for (const t of nft.tables) {
		if (!SEEN.has(t.family) || !t.hooked) continue;
		const rules = [...t.chains.values()].reduce((a, b) => a + b, 0);
		if (rules === 0 && t.drops.length === 0) continue;
		const what = `table ${t.family} ${t.name} (${rules} rule${rules === 1 ? '' : 's'}${t.drops.length === 0 ? '' : `, policy drop in ${t.drops.join(', ')}`})`;
		if (t.family !== 'ip' || !IPTABLES.has(t.name)) {
			out.push(`${what} is nftables' own: linnet has none yet, packets pass here as if it were not there`);
			continue;
		}
		for (const [chain, n] of t.chains) {
			const have = lines.filter((l) => l.table === t.name && l.chain === chain).length;
			if (have !== n)
				out.push(
					`table ip ${t.name}, chain ${chain} has ${n} rule${n === 1 ? '' : 's'}, iptables-save shows ${have}: what it does not show is left out here`,
				);
		}
	}
	return out;
}
