import { expect, test } from 'vitest';
import { frame, kernel, MAC_A, MAC_B, nic, receiver, run } from '../net/core/kernel.ts';

test('a frame from the cable reaches its protocol, one interrupt when idle', () => {
	const k = kernel();
	const [dev, cable] = nic(k);
	const got = receiver(k, 0x88b5);
	expect(cable.port.receive(frame(MAC_A, MAC_B, 0x88b5, 50), 0, 64, null)).toBe(true);
	expect(got).toEqual([]);
	run(k.clock);
	expect(got).toEqual([{ dev: 'eth0', pkt_type: 0, len: 50, ip_summed: 0 }]);
	expect(dev.napi_list.length).toBe(1);
	expect(k.machine.skb_pool.live).toBe(0);
	expect(k.machine.net.softnet_data[0].processed).toBe(1);
});
