import { expect, test } from 'vitest';
import { World } from '../../../src/lab/world.ts';

async function host(queues = 1) {
	const world = new World({ seed: 1 });
	const a = world.host('a');
	a.nic('eth0', { queues });
	await a.must('ip link set eth0 up');
	return a;
}

test('rings are read and set within their limits', async () => {
	const a = await host();
	const before = await a.must('ethtool -g eth0');
	expect(before).toMatch(
		/^Ring parameters for eth0:\nPre-set maximums:\nRX:\t\t\d+\nRX Mini:\tn\/a\nRX Jumbo:\tn\/a\nTX:\t\t\d+\nCurrent hardware settings:\nRX:\t\t\d+\n/,
	);
	await a.must('ethtool -G eth0 rx 128 tx 64');
	const after = await a.must('ethtool -g eth0');
	expect(after.slice(after.indexOf('Current'))).toMatch(/RX:\t\t128\n.*\n.*\nTX:\t\t64\n/);
	const r = await a.sh('ethtool -G eth0 tx 9999999');
	expect(r).toEqual({
		stdout: '',
		stderr: 'netlink error: requested ring size exceeds maximum (offset 36)\nnetlink error: Invalid argument\n',
		exitCode: 81,
	});
});

test('channels: as many as there are queues', async () => {
	const a = await host(4);
	expect(await a.must('ethtool -l eth0')).toBe(
		'Channel parameters for eth0:\nPre-set maximums:\nRX:\t\tn/a\nTX:\t\tn/a\nOther:\t\tn/a\nCombined:\t4\n' +
			'Current hardware settings:\nRX:\t\tn/a\nTX:\t\tn/a\nOther:\t\tn/a\nCombined:\t4\n',
	);
	await a.must('ethtool -L eth0 combined 2');
	expect(await a.must('ethtool -l eth0')).toContain(
		'Current hardware settings:\nRX:\t\tn/a\nTX:\t\tn/a\nOther:\t\tn/a\nCombined:\t2\n',
	);
	expect((await a.sh('ethtool -L eth0 combined 5')).exitCode).toBe(1);
});

test('coalescing: what is not supported cannot be set', async () => {
	const a = await host();
	await a.must('ethtool -C eth0 rx-usecs 50 rx-frames 8');
	const shown = await a.must('ethtool -c eth0');
	expect(shown).toContain('\nrx-usecs: 50\nrx-frames: 8\nrx-usecs-irq: n/a\n');
	expect(shown).toContain('\ntx-usecs: n/a\n');
	expect((await a.sh('ethtool -C eth0 tx-usecs 5')).stderr).toBe(
		'netlink error: cannot modify an unsupported parameter (offset 36)\nnetlink error: Invalid argument\n',
	);
});

test('settings: modes, message level, link', async () => {
	const a = await host();
	await a.must('ethtool -s eth0 msglvl 5');
	const out = await a.must('ethtool eth0');
	expect(out).toContain(
		'\tSupported ports: [ TP ]\n\tSupported link modes:   10baseT/Full\n\t                        100baseT/Full\n',
	);
	expect(out).toContain('\tAdvertised auto-negotiation: Yes\n');
	expect(out).toContain('        Current message level: 0x00000005 (5)\n                               drv link\n');
	expect(out).toMatch(/\tLink detected: (yes|no)\n$/);
});

test('statistics, driver, pause, permanent address', async () => {
	const a = await host();
	expect(await a.must('ethtool -S eth0')).toMatch(/^NIC statistics:\n( {5}\w+: \d+\n)+$/);
	expect(await a.must('ethtool -i eth0')).toContain('driver: vnic\n');
	expect(await a.must('ethtool -a eth0')).toContain('Autonegotiate:\toff\nRX:\t\toff\nTX:\t\toff\n');
	expect(await a.must('ethtool -P eth0')).toBe('Permanent address: 02:00:00:00:00:01\n');
});

test('features: what was not asked for is told', async () => {
	const a = await host();
	expect(await a.must('ethtool -K eth0 tx off')).toBe('');
	expect(await a.must('ethtool -k eth0')).toContain('\ntx-checksumming: off\n');
	expect(await a.sh('ethtool -K eth0 lro on')).toEqual({
		stdout: 'Actual changes:\nrx-lro: off [requested on]\n',
		stderr: 'Could not change any device features\n',
		exitCode: 1,
	});
	expect((await a.sh('ethtool -K eth0 nosuch on')).exitCode).toBe(92);
});

test('what is missing is refused by name', async () => {
	const a = await host();
	expect(await a.sh('ethtool --cable-test eth0')).toEqual({
		stdout: '',
		stderr: 'ethtool: option --cable-test is not supported here\n',
		exitCode: 1,
	});
});
