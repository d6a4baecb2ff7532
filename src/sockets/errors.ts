/*
 * sockets/errors.ts: errors as Node words them: `connect ECONNREFUSED 10.0.0.2:80`, with code, errno, syscall, address and port.
 */
import * as errno from '../uapi/asm-generic/errno.ts';
import type { JourneyEnd } from './cause.ts';

/** What a failed socket operation throws or emits. */
export interface SocketError extends Error {
	code: string;
	/** Negative, as libuv has it. */
	errno?: number;
	syscall?: string;
	address?: string;
	port?: number;
	hostname?: string;
	/** Of a connection that was not made: where in the world its packet ended. */
	cause?: JourneyEnd;
}

/** libuv's words where they are not strerror's in small letters. */
const WORDS: Record<string, string> = {
	EADDRNOTAVAIL: 'address not available',
	ENOTCONN: 'socket is not connected',
	EISCONN: 'socket is already connected',
	EPIPE: 'broken pipe',
	ENODEV: 'no such device',
	EAFNOSUPPORT: 'address family not supported',
	EMFILE: 'too many open files',
};

/** 'ECONNREFUSED' of -111. */
export function errorCode(err: number): string {
	return errno.errno_name(-err);
}

function make(message: string, fields: Record<string, unknown>): SocketError {
	return Object.assign(new Error(message), fields) as unknown as SocketError;
}

/** `read ECONNRESET` */
export function errnoException(err: number, syscall: string): SocketError {
	const code = errorCode(err);
	return make(`${syscall} ${code}`, { errno: err, code, syscall });
}

/** `connect ECONNREFUSED 10.0.0.2:80` */
export function exceptionWithHostPort(
	err: number,
	syscall: string,
	address: string,
	port: number | undefined,
	additional?: string,
): SocketError {
	const code = errorCode(err);
	const where = port !== undefined && port > 0 ? ` ${address}:${port}` : address === '' ? '' : ` ${address}`;
	const more = additional === undefined ? '' : ` - Local (${additional})`;
	const fields: Record<string, unknown> = { errno: err, code, syscall, address };
	if (port !== undefined && port > 0) fields.port = port;
	return make(`${syscall} ${code}${where}${more}`, fields);
}

/** `listen EADDRINUSE: address already in use 0.0.0.0:80` */
export function uvExceptionWithHostPort(err: number, syscall: string, address: string, port?: number): SocketError {
	const code = errorCode(err);
	const words = WORDS[code] ?? errno.strerror(-err).toLowerCase();
	const where = port !== undefined && port > 0 ? ` ${address}:${port}` : address === '' ? '' : ` ${address}`;
	const fields: Record<string, unknown> = { code, errno: err, syscall, address };
	if (port !== undefined && port > 0) fields.port = port;
	return make(`${syscall} ${code}: ${words}${where}`, fields);
}

/** `getaddrinfo ENOTFOUND name` */
export function notFound(hostname: string): SocketError {
	return make(`getaddrinfo ENOTFOUND ${hostname}`, {
		errno: -3008,
		code: 'ENOTFOUND',
		syscall: 'getaddrinfo',
		hostname,
	});
}

/** An error of Node's own, with its code: also in `name` and stack, as Node shows it. */
export function nodeError(
	code: string,
	message: string,
	Base: ErrorConstructor | TypeErrorConstructor | RangeErrorConstructor = Error,
): SocketError {
	const e = new Base(message) as SocketError;
	e.code = code;
	Object.defineProperty(e, 'name', { value: e.name, configurable: true, writable: true, enumerable: false });
	return e;
}

export function abortError(reason: unknown): Error {
	const e = new Error('The operation was aborted', { cause: reason }) as SocketError;
	e.code = 'ABORT_ERR';
	e.name = 'AbortError';
	return e;
}
