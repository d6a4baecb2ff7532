/*
 * lab/cables/tun.ts: a TUN device of a host (IP packets, no Ethernet), as something that a cable can be plugged into.
 *
 *     openTun(world, 'tun0').plugInto(tunOf(host, 'tun0'));      // ours, and the real host's, are the two ends of one point-to-point link
 */
import type { Cable, CablePort } from '../../drivers/net/cable.ts';
import { tun_create, tun_do_read, type tun_file, tun_get_user } from '../../drivers/net/tun.ts';
import type { wait_watcher } from '../../kernel/wait.ts';
import { clock_event } from '../../lib/event_queue.ts';
import { NETIF_F_FRAGLIST, NETIF_F_SG } from '../../net/core/netdevice.ts';
import type { Host } from '../host.ts';
import type { Plug } from '../link.ts';

class TunPlug implements Plug, CablePort, wait_watcher {
	readonly host: Host;
	readonly name: string;
	private tfile: tun_file;
	private cable: Cable | null = null;
	private again: clock_event;

	constructor(host: Host, name: string, tfile: tun_file) {
		this.host = host;
		this.name = name;
		this.tfile = tfile;
		this.again = new clock_event(again, this);
		tfile.wait.watchers = [this];
		// Whole packets cross: checksums and segments are the stack's.
		const { dev } = tfile;
		dev.hw_features &= NETIF_F_SG | NETIF_F_FRAGLIST;
		dev.features &= dev.hw_features;
	}

	toString(): string {
		return `${this.host.name}:${this.name}`;
	}

	plug(cable: Cable): CablePort {
		this.cable = cable;
		return this;
	}

	/** A packet waits in the device's queue, or the cable may be free again. */
	wake(): void {
		const { cable } = this;
		if (cable === null) return;
		const { clock } = this.host.world;
		for (;;) {
			const until = cable.busy_until ?? 0;
			if (until > clock.now) {
				if (this.again.slot < 0) clock.schedule(this.again, until);
				return;
			}
			const p = tun_do_read(this.tfile);
			if (p === null) return;
			cable.send(p.packet, 0, p.packet.length, null);
		}
	}

	receive(packet: Uint8Array, start: number, len: number): boolean {
		return tun_get_user(this.tfile, packet.subarray(start, start + len)) > 0;
	}

	/** A TUN has carrier while its file is open. */
	set_link(): void {}
}

function again(ev: clock_event): void {
	(ev.owner as TunPlug).wake();
}

/** Makes a TUN device on `host`. Throws where it cannot be. */
export function tunOf(host: Host, name: string): Plug {
	const tfile = tun_create(host.machine.init_net, name);
	if (typeof tfile === 'number') throw new Error(`${host.name}: cannot make TUN ${name}: error ${-tfile}`);
	return new TunPlug(host, name, tfile);
}
