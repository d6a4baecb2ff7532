import { expect, test } from 'vitest';
import { recorded, replay } from './recorded.ts';

for (const name of ['iputils/ping', 'iputils/arping', 'traceroute/traceroute', 'ethtool/ethtool']) {
	test(`${name}: as recorded from Linux`, async () => {
		const { linux, linnet } = await replay(recorded(new URL(`../${name}.json`, import.meta.url)));
		expect(linnet.length).toBeGreaterThan(20);
		expect(linnet).toEqual(linux);
	}, 30_000);
}
