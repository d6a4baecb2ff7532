// Bundles one TypeScript entry with esbuild and runs it: node scripts/run.mjs test/harness/main.ts ARG...
import { mkdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const [entry, ...args] = process.argv.slice(2);
const root = resolve(import.meta.dirname, '..');
const outfile = resolve(
	root,
	'node_modules/.cache/linnet',
	entry.replaceAll('/', '-').replace(/\.ts$/, `-${process.pid}.mjs`),
);
mkdirSync(resolve(outfile, '..'), { recursive: true });
process.on('exit', () => rmSync(outfile, { force: true }));
await build({
	entryPoints: [resolve(root, entry)],
	outfile,
	bundle: true,
	platform: 'node',
	format: 'esm',
	target: 'node20',
	packages: 'external',
	sourcemap: 'inline',
	logLevel: 'warning',
	define: { 'import.meta.dirname': JSON.stringify(resolve(root, entry, '..')) },
});
process.argv = [process.argv[0], outfile, ...args];
await import(pathToFileURL(outfile).href);
