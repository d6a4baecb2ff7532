/*
 * sockets/platform.browser.ts: as platform.ts, in browsers: the packages that are Node's streams, events and buffers there (docs/adr/0006-sockets.md).
 */
export { Buffer } from 'buffer';
export { EventEmitter } from 'events';
export { Duplex } from 'readable-stream';

/** Node's own; there is none in browsers. */
export const BlockList = undefined;
export const SocketAddress = undefined;

/** Calls `work` before anything else of the event loop. */
export const nextTick: (work: () => void) => void = (work) => queueMicrotask(work);
