/*
 * sockets/platform.ts: streams, events and buffers: Node's own. Bundlers for browsers take platform.browser.ts instead (package.json, "browser").
 */
export { Buffer } from 'node:buffer';
export { EventEmitter } from 'node:events';
export { BlockList, SocketAddress } from 'node:net';
export { Duplex } from 'node:stream';

/** Calls `work` before anything else of the event loop. */
export const nextTick: (work: () => void) => void = process.nextTick;
