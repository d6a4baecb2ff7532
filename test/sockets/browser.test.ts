/*
 * test/sockets/browser.test.ts: the sockets in a browser: linnet/streams bundles without anything of Node's, linnet/net with the packages that stand for
 * it; and a page runs both, where there is a Chromium.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type BuildResult, build, type Plugin } from 'esbuild';
import { chromium } from 'playwright-core';
import { expect, test } from 'vitest';
import { talk as talkInNode } from './browser_streams.ts';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const SOCKETS = resolve(import.meta.dirname, '../../src/sockets');

/** What "browser" in package.json says to bundlers. */
const browserField: Plugin = {
	name: 'browser-field',
	setup(b) {
		b.onResolve({ filter: /\/platform\.ts$/ }, () => ({ path: join(SOCKETS, 'platform.browser.ts') }));
	},
};

function bundle(entry: string, plugins: Plugin[] = []): Promise<BuildResult<{ write: false; metafile: true }>> {
	return build({
		entryPoints: [resolve(import.meta.dirname, entry)],
		bundle: true,
		write: false,
		metafile: true,
		minify: true,
		platform: 'browser',
		format: 'iife',
		globalName: 'page',
		target: 'es2022',
		// The shell is loaded when a script is run; nothing here does.
		external: ['just-bash'],
		plugins,
		logLevel: 'error',
	});
}

/** What the bundle would load from elsewhere, and which packages are in it. */
function needs(r: BuildResult<{ metafile: true }>): { external: string[]; packages: string[] } {
	const external = Object.values(r.metafile.outputs).flatMap((o) => o.imports.map((i) => `${i.kind} ${i.path}`));
	const packages = Object.keys(r.metafile.inputs)
		.filter((p) => p.includes('node_modules'))
		.map((p) => p.replace(/.*node_modules\/((@[^/]+\/)?[^/]+).*/, '$1'));
	return { external: [...new Set(external)], packages: [...new Set(packages)].sort() };
}

async function inChromium(script: string): Promise<unknown> {
	const profile = await mkdtemp(join(tmpdir(), 'linnet-chromium-'));
	const browser = await chromium.launchPersistentContext(profile, {
		executablePath: CHROMIUM,
		headless: true,
		args: [
			...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
			...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
		],
	});
	try {
		const page = browser.pages()[0];
		await page.addScriptTag({ content: script });
		return await page.evaluate('page.talk()');
	} finally {
		await browser.close();
		await rm(profile, { recursive: true, force: true });
	}
}

const STREAMS = {
	length: 380_000,
	begins: 'HELLO FROM A PAGE.',
	code: 'ECONNREFUSED',
	reason: 'NO_SOCKET',
	machine: 'b',
};

test('linnet/streams needs no Node and no package', async () => {
	const r = await bundle('browser_streams.ts');
	expect(needs(r)).toEqual({ external: ['dynamic-import just-bash'], packages: [] });
	expect(r.outputFiles[0].text).not.toMatch(/["'`]node:/);
});

test('linnet/net needs the packages that stand for Node, and no more', async () => {
	const r = await bundle('browser_net.ts', [browserField]);
	expect(needs(r)).toEqual({
		external: ['dynamic-import just-bash'],
		packages: [
			...['abort-controller', 'base64-js', 'buffer', 'events', 'ieee754', 'process'],
			...['readable-stream', 'safe-buffer', 'string_decoder'],
		],
	});
});

test('package.json says so to bundlers', () => {
	const root = resolve(import.meta.dirname, '../..');
	const p = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
	expect(p.browser).toEqual({ './dist/sockets/platform.js': './dist/sockets/platform.browser.js' });
	for (const name of ['net', 'dgram', 'streams']) {
		expect(p.exports[`./${name}`].default).toBe(`./dist/sockets/${name}.js`);
		expect(existsSync(join(SOCKETS, `${name}.ts`))).toBe(true);
	}
});

test('in Node', async () => {
	expect(await talkInNode()).toEqual(STREAMS);
});

if (existsSync(CHROMIUM)) {
	test('two hosts in a page: linnet/streams', async () => {
		expect(await inChromium((await bundle('browser_streams.ts')).outputFiles[0].text)).toEqual(STREAMS);
	}, 60_000);

	test('two hosts in a page: linnet/net and linnet/dgram', async () => {
		expect(await inChromium((await bundle('browser_net.ts', [browserField])).outputFiles[0].text)).toEqual({
			got: 500_000,
			events: ['connect', 'ready', 'finish', 'end', 'close'],
			error: 'connect ECONNREFUSED 10.0.0.2:8',
			datagram: 'ping',
		});
	}, 60_000);
} else console.warn(`test/sockets/browser: there is no ${CHROMIUM} (CHROMIUM=… names another): no page is run`);
