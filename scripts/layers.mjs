// Checks the house's walls (.dependency-cruiser.cjs): node scripts/layers.mjs [ROOT], ROOT being a folder with src/ in it.
// Rules that leave type-only imports alone are checked over a copy with its types erased: dependency-cruiser knows type-only imports
// by TypeScript's JavaScript API, which TypeScript 7 has not, and not by swc.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { cruise } from 'dependency-cruiser';
import { transformSync } from 'esbuild';

const root = resolve(process.argv[2] ?? join(import.meta.dirname, '..'));
const { forbidden, options } = createRequire(import.meta.url)('../.dependency-cruiser.cjs');
const folders = ['src', 'test', 'bench'];

const forValues = (rule) => rule.to.dependencyTypesNot?.includes('type-only') ?? false;
const withoutTypes = ({ to: { dependencyTypesNot, ...to }, ...rule }) => ({ ...rule, to });

async function check(baseDir, rules) {
	const here = readdirSync(baseDir).filter((f) => folders.includes(f));
	const { doNotFollow, enhancedResolveOptions, ...rest } = options;
	const ruleSet = { forbidden: rules, options };
	const { output } = await cruise(
		here,
		{ ...rest, doNotFollow, baseDir, ruleSet, validate: true },
		enhancedResolveOptions,
	);
	return output;
}

/** A copy of src/ as a JavaScript engine would see it: `import type` gone, all else as it stands. */
function eraseTypes(from, to) {
	for (const e of readdirSync(from, { withFileTypes: true, recursive: true })) {
		if (!e.isFile() || !e.name.endsWith('.ts')) continue;
		const path = join(e.parentPath ?? e.path, e.name);
		const target = join(to, path.slice(from.length));
		const tsconfigRaw = { compilerOptions: { verbatimModuleSyntax: true } };
		mkdirSync(dirname(target), { recursive: true });
		writeFileSync(target, transformSync(readFileSync(path, 'utf8'), { loader: 'ts', tsconfigRaw }).code);
	}
}

const erased = mkdtempSync(join(tmpdir(), 'linnet-layers-'));
try {
	eraseTypes(join(root, 'src'), join(erased, 'src'));
	const all = await check(
		root,
		forbidden.filter((r) => !forValues(r)),
	);
	const values = await check(erased, forbidden.filter(forValues).map(withoutTypes));
	const violations = [...all.summary.violations, ...values.summary.violations];
	for (const v of violations) console.log(`${v.rule.name}: ${v.from} imports ${v.to}\n    ${commentOf(v.rule.name)}`);
	const edges = `${all.summary.totalCruised} modules, ${all.summary.totalDependenciesCruised} imports`;
	console.log(
		`layers: ${edges} (${values.summary.totalDependenciesCruised} of values in src), ${violations.length} wrong`,
	);
	if (all.summary.totalDependenciesCruised === 0) throw new Error('no import was read at all');
	process.exitCode = violations.length > 0 ? 1 : 0;
} finally {
	rmSync(erased, { recursive: true });
}

function commentOf(name) {
	return forbidden.find((r) => r.name === name)?.comment ?? '';
}
