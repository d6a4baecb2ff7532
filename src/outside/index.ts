/*
 * outside/index.ts: what `import … from 'linnet/outside'` gives: cables to the outside that need Node.
 */
export { dgramAddress, openDgram } from './dgram.ts';
export { FdCable } from './fd_cable.ts';
export { serveFolder } from './http.ts';
export { connectStream, listenStream, StreamCable, streamAddress } from './stream.ts';
export { OutsideError } from './syscalls.ts';
export { openTap, openTun, type TapOptions } from './tap.ts';
export { connectWebSocket, listenWebSocket, type WebSocketListener } from './websocket.ts';
