/*
 * drivers/net/cable.ts: the one contract between a NIC and what it is plugged into: a link of the lab, a pcap file, a TAP, a WebSocket.
 * A cable carries frames and time, nothing else; frames are bytes without FCS. The journey of a traced packet goes along.
 */
import type { journey } from '../../kernel/trace.ts';

/** What hardware offload left undone, as virtio's header says it. Zeros: nothing. */
export class frame_offload {
	/** Offset in the frame where the checksum begins; 0: the checksum is whole. */
	csum_start = 0;
	csum_offset = 0;
	/** Payload of each segment that this frame stands for; 0: one frame. */
	gso_size = 0;
	gso_type = 0;
	/** The sender vouches for the checksum. */
	csum_valid = false;
}

/** What a NIC sees of its cable. */
export interface Cable {
	/**
	 * Takes one frame. The bytes are the NIC's again when this returns; `offload` is null when there is nothing to say.
	 * `journey`: of the packet, when it is traced.
	 */
	send(frame: Uint8Array, start: number, len: number, offload: frame_offload | null, journey?: journey | null): void;
	/** Whether it can carry frames with offload left undone. */
	readonly offload: boolean;
	/** Until when (ns of the world's clock) it can take no other frame: the NIC keeps its frames in the tx ring so long. Not there: always free. */
	readonly busy_until?: number;
}

/** What a cable sees of the NIC. */
export interface CablePort {
	/**
	 * One frame arrives now. The bytes stay the cable's: the NIC copies them. `from`: the journey that it continues, of the machine that sent it.
	 * Return: false when the NIC had no room.
	 */
	receive(frame: Uint8Array, start: number, len: number, offload: frame_offload | null, from?: journey | null): boolean;
	/** The signal comes or goes. `speed` in Mbit/s, 0 unknown. */
	set_link(up: boolean, speed: number): void;
}
