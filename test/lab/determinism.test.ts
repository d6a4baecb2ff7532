/*
 * test/lab/determinism.test.ts: the same seed gives the same capture, byte for byte, in Node and in Chromium.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { expect, it } from 'vitest';
import { readCapture } from '../../src/packet/capture.ts';
import { captureOfLossyWorld } from './lossy_world.ts';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

const sha256 = (b: Uint8Array) => createHash('sha256').update(b).digest('hex');

it('is the same capture for the same seed, and another one for another', async () => {
	const first = await captureOfLossyWorld(7);
	const { packets } = readCapture(first);
	// Something happened at all: pings and datagrams, and not all frames that left have arrived once.
	expect(packets.length).toBeGreaterThan(200);
	expect(sha256(await captureOfLossyWorld(7))).toBe(sha256(first));
	expect(sha256(await captureOfLossyWorld(8))).not.toBe(sha256(first));
});

/** Runs the world in Chromium. Return: the SHA-256 of its capture. */
async function inChromium(seed: number): Promise<string> {
	const bundle = await build({
		entryPoints: [resolve(import.meta.dirname, 'lossy_world.ts')],
		bundle: true,
		write: false,
		platform: 'browser',
		format: 'iife',
		globalName: 'lossy',
		target: 'es2022',
		// just-bash's gzip, which nothing here uses.
		alias: { 'node:zlib': resolve(import.meta.dirname, 'no_zlib.ts') },
		logLevel: 'error',
	});
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
		await page.addScriptTag({ content: bundle.outputFiles[0].text });
		const bytes = await page.evaluate(`lossy.captureOfLossyWorld(${seed}).then((b) => [...b])`);
		return sha256(Uint8Array.from(bytes as number[]));
	} finally {
		await browser.close();
		await rm(profile, { recursive: true, force: true });
	}
}

if (existsSync(CHROMIUM))
	it('is the same capture in Chromium as in Node', async () => {
		expect(await inChromium(7)).toBe(sha256(await captureOfLossyWorld(7)));
	}, 60_000);
else
	console.warn(
		`test/lab/determinism: there is no ${CHROMIUM} (CHROMIUM=… names another): Chromium is not compared with Node`,
	);
