import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const src = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

export default defineConfig({
	test: { include: ['test/**/*.test.ts'], testTimeout: 60_000, pool: 'threads' },
	// Examples import linnet by its name; tests of them run what stands in src.
	resolve: {
		alias: [
			{ find: /^linnet$/, replacement: src('lab/index.ts') },
			{ find: /^linnet\/(matchers|vitest)$/, replacement: src('cli/$1.ts') },
			{ find: /^linnet\/(net|dgram|streams)$/, replacement: src('sockets/$1.ts') },
		],
	},
});
