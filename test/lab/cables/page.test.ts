/*
 * Cables in a page of Chromium: its WebSocket into a world of this process, its BroadcastChannel.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { expect, it } from 'vitest';
import { listenWebSocket } from '../../../src/outside/websocket.ts';
import { address, B, MAC, worldWith } from './worlds.ts';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

if (existsSync(CHROMIUM))
	it('a host of a page pings one of this process over WebSocket, and one of the page over BroadcastChannel', async () => {
		const bundle = await build({
			entryPoints: [resolve(import.meta.dirname, 'page.ts')],
			bundle: true,
			write: false,
			platform: 'browser',
			format: 'iife',
			globalName: 'page',
			target: 'es2022',
			alias: { 'node:zlib': resolve(import.meta.dirname, '../no_zlib.ts') },
			logLevel: 'error',
		});
		const { world, host } = worldWith('server');
		host.nic('eth0', { mac: MAC[1] });
		await address(host, B);
		const listener = await listenWebSocket(world, 0, (cable) => cable.plugInto(host.nic('eth0')));
		const profile = await mkdtemp(join(tmpdir(), 'linnet-chromium-'));
		const browser = await chromium.launchPersistentContext(profile, {
			executablePath: CHROMIUM,
			headless: true,
			args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'],
		});
		try {
			const page = browser.pages()[0];
			await page.addScriptTag({ content: bundle.outputFiles[0].text });
			expect(await page.evaluate(`page.overWebSocket('ws://127.0.0.1:${listener.port}/')`)).toBe(3);
			expect(await page.evaluate('page.overBroadcast()')).toBe(3);
		} finally {
			await browser.close();
			await rm(profile, { recursive: true, force: true });
			listener.close();
		}
	}, 60_000);
else
	it('there is no Chromium here', () => {
		console.warn(
			`test/lab/cables/page: there is no ${CHROMIUM} (CHROMIUM=… names another): cables are not tried in a browser`,
		);
	});
