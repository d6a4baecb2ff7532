/*
 * lab/cables/index.ts: what `import … from 'linnet/cables'` gives: cables to the outside that work in browsers too.
 */
export { broadcastCable } from './broadcast.ts';
export { FRAME_MAX, FrameReader, FrameWriter } from './framing.ts';
export { Outside, type OutsideCounters } from './outside.ts';
export { tunOf } from './tun.ts';
export { type V86Like, v86Cable } from './v86.ts';
export { getVnetHdr, putVnetHdr, VNET_HDR_LEN } from './vnet_hdr.ts';
export { type WebSocketLike, webSocketCable } from './websocket.ts';
