declare module 'readable-stream' {
	export { Duplex, Readable, Writable } from 'node:stream';
}
