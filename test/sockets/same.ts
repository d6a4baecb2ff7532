/*
 * test/sockets/same.ts: what node:net does, as programs see it: each behaviour is a function of a `net` and of where its server listens, and
 * writes down what happens, in order.
 */
import type * as nodeNet from 'node:net';

/** Two sides: on localhost both are node:net. */
export interface Sides {
	client: Pick<typeof nodeNet, 'connect' | 'createConnection' | 'Socket'>;
	server: Pick<typeof nodeNet, 'createServer' | 'Server'>;
	/** Where the server is, as the client sees it. */
	address: string;
}

export type Log = (line: string) => void;
type Socket = nodeNet.Socket;

/** What an error says, without the port that was chosen. */
export function said(e: unknown): string {
	const x = e as NodeJS.ErrnoException & { port?: number; address?: string };
	const text = x.message.replace(/:\d{4,5}\b/g, ':PORT').replace(/\d+\.\d+\.\d+\.\d+/g, 'ADDR');
	const fields = [x.name, x.code, x.errno, x.syscall, x.address === undefined ? '' : 'ADDR', typeof x.port];
	return `${text} [${fields.join(' ')}]`;
}

/** Writes down the events of a socket. */
function watch(log: Log, name: string, s: Socket, data = true): Socket {
	for (const e of ['connect', 'ready', 'end', 'finish', 'timeout', 'drain'] as const)
		s.on(e, () => log(`${name} ${e}`));
	s.on('error', (e) => log(`${name} error ${said(e)}`));
	s.on('close', (failed) => log(`${name} close ${failed}`));
	if (data) {
		let text = '';
		s.on('data', (d) => {
			text += d.toString('latin1');
			if (text.endsWith('.')) {
				log(`${name} data ${text}`);
				text = '';
			}
		});
	}
	return s;
}

const closed = (s: { once(e: 'close', f: () => void): unknown }) =>
	new Promise<void>((r) => s.once('close', () => r()));
const event = (s: { once(e: string, f: () => void): unknown }, e: string) =>
	new Promise<void>((r) => s.once(e, () => r()));

/** A server; `take` gets each connection. Return: it and its port. */
async function serve(
	sides: Sides,
	options: nodeNet.ServerOpts,
	take: (s: Socket) => void,
): Promise<{ server: nodeNet.Server; port: number; taken: Promise<void> }> {
	const server = sides.server.createServer(options, take);
	server.listen(0);
	await event(server, 'listening');
	return { server, port: (server.address() as nodeNet.AddressInfo).port, taken: event(server, 'connection') };
}

const end = async (server: nodeNet.Server) => {
	server.close();
	await closed(server);
};

export const behaviours: Record<string, (sides: Sides, log: Log) => Promise<void>> = {
	async 'a closed port refuses'(sides, log) {
		const { server, port } = await serve(sides, {}, () => {});
		await end(server);
		const s = watch(log, 'client', sides.client.connect(port, sides.address));
		log(`${s.connecting} ${s.pending} ${s.readyState} ${s.destroyed}`);
		await closed(s);
		log(`${s.connecting} ${s.pending} ${s.readyState} ${s.destroyed} ${s.errored?.message !== undefined}`);
	},
	async 'hello, and the server ends'(sides, log) {
		const { server, port } = await serve(sides, {}, (c) => {
			watch(log, 'server', c);
			c.end('hello.');
		});
		const s = watch(log, 'client', sides.client.connect({ port, host: sides.address }));
		await closed(s);
		log(`${s.bytesRead} ${s.bytesWritten} ${s.readyState}`);
		await end(server);
	},
	async 'the client ends first'(sides, log) {
		const { server, port } = await serve(sides, {}, (c) => {
			watch(log, 'server', c);
			c.on('end', () => log(`server writable ${c.writable}`));
		});
		const s = watch(
			log,
			'client',
			sides.client.connect(port, sides.address, () => log('connected')),
		);
		s.end('bye.', () => log('ended'));
		log(`${s.writable} ${s.writableEnded} ${s.writableFinished} ${s.bytesWritten}`);
		await closed(s);
		await end(server);
	},
	async 'half open: the server answers after the end'(sides, log) {
		const { server, port } = await serve(sides, { allowHalfOpen: true }, (c) => {
			watch(log, 'server', c);
			c.on('end', () => {
				log(`server ${c.readyState}`);
				c.end('late.');
			});
		});
		const s = watch(
			log,
			'client',
			sides.client.connect({ port, host: sides.address, allowHalfOpen: true } as nodeNet.NetConnectOpts),
		);
		s.on('connect', () => s.end('early.'));
		s.on('finish', () => log(`client ${s.readyState}`));
		await closed(s);
		await end(server);
	},
	async 'a reset is an error of who reads'(sides, log) {
		const { server, port } = await serve(sides, {}, (c) => {
			watch(log, 'server', c);
			c.once('data', () => c.resetAndDestroy());
		});
		const s = watch(log, 'client', sides.client.connect(port, sides.address));
		s.write('x.');
		await closed(s);
		await end(server);
	},
	async 'destroy with an error'(sides, log) {
		const { server, port, taken } = await serve(sides, {}, (c) => watch(log, 'server', c));
		const s = watch(log, 'client', sides.client.connect(port, sides.address));
		await Promise.all([event(s, 'connect'), taken]);
		s.destroy(new Error('enough'));
		log(`${s.destroyed} ${s.readyState}`);
		s.destroy(new Error('twice'));
		await closed(s);
		await end(server);
	},
	async 'destroy while it connects'(sides, log) {
		const { server, port } = await serve(sides, {}, () => {});
		const s = watch(log, 'client', sides.client.connect(port, sides.address));
		s.write('never', (e) => log(`written ${said(e)}`));
		s.destroy();
		await closed(s);
		await end(server);
	},
	async 'write after end'(sides, log) {
		const { server, port, taken } = await serve(sides, {}, (c) => watch(log, 'server', c));
		const s = watch(log, 'client', sides.client.connect(port, sides.address));
		await Promise.all([event(s, 'connect'), taken]);
		s.end('one.');
		s.write('two.', (e) => log(`written ${said(e)}`));
		await closed(s);
		await end(server);
	},
	async 'write after destroy'(sides, log) {
		const { server, port, taken } = await serve(sides, {}, (c) => watch(log, 'server', c));
		const s = watch(log, 'client', sides.client.connect(port, sides.address));
		await Promise.all([event(s, 'connect'), taken]);
		s.destroy();
		log(`${s.write('two.', (e) => log(`written ${said(e)}`))}`);
		await closed(s);
		await end(server);
	},
	async 'write after the other party has ended'(sides, log) {
		const { server, port } = await serve(sides, {}, (c) => {
			watch(log, 'server', c);
			c.end('done.');
		});
		const s = watch(log, 'client', sides.client.connect(port, sides.address));
		s.on('end', () => setImmediate(() => s.write('too late', (e) => log(`written ${said(e)}`))));
		await closed(s);
		await end(server);
	},
	async 'a timeout is only told'(sides, log) {
		const { server, port } = await serve(sides, {}, (c) => watch(log, 'server', c));
		const s = watch(log, 'client', sides.client.connect(port, sides.address));
		s.setTimeout(80, () => {
			log(`late ${s.destroyed} ${s.timeout}`);
			s.end();
		});
		await closed(s);
		await end(server);
	},
	async 'drain: back-pressure reaches the writer'(sides, log) {
		let peer!: Socket;
		const { server, port } = await serve(sides, { pauseOnConnect: true }, (c) => {
			peer = c;
		});
		const s = sides.client.connect(port, sides.address);
		await event(s, 'connect');
		const block = Buffer.alloc(1 << 20, 97);
		let sent = 0;
		// Until the buffers of both kernels are full.
		for (let stuck = 0; stuck < 3; ) {
			if (s.write(block)) sent++;
			else {
				sent++;
				const drained = await Promise.race([
					event(s, 'drain').then(() => true),
					new Promise<boolean>((r) => setTimeout(() => r(false), 300)),
				]);
				if (!drained) stuck = 3;
			}
			if (sent > 200) throw new Error('nobody reads, and still 200 MB were written');
		}
		log(`stuck ${s.writableNeedDrain} ${s.writableLength > 0}`);
		let got = 0;
		peer.on('data', (d) => {
			got += d.length;
		});
		peer.resume();
		await event(s, 'drain');
		log('drained');
		s.end();
		await event(peer, 'end');
		log(`whole ${got === sent * block.length}`);
		await closed(s);
		await end(server);
	},
	async 'five MB both ways'(sides, log) {
		const size = 5 << 20;
		const pattern = (seed: number) => {
			const b = Buffer.alloc(size);
			for (let i = 0, x = seed; i < size; i++) {
				x = (Math.imul(x, 1103515245) + 12345) | 0;
				b[i] = x >>> 16;
			}
			return b;
		};
		const up = pattern(1);
		const down = pattern(2);
		const whole = async (s: Socket) => {
			const parts: Buffer[] = [];
			for await (const d of s) parts.push(d);
			return Buffer.concat(parts);
		};
		let served!: Promise<Buffer>;
		const { server, port } = await serve(sides, { allowHalfOpen: true }, (c) => {
			c.end(down);
			served = whole(c);
		});
		const s = sides.client.connect({ port, host: sides.address, allowHalfOpen: true } as nodeNet.NetConnectOpts);
		s.end(up);
		log(`down ${(await whole(s)).equals(down)}`);
		log(`up ${(await served).equals(up)}`);
		log(`${s.bytesRead} ${s.bytesWritten}`);
		await end(server);
	},
	async 'pause and resume'(sides, log) {
		const { server, port } = await serve(sides, {}, (c) => c.end('held.'));
		const s = watch(log, 'client', sides.client.connect(port, sides.address));
		s.pause();
		await event(s, 'connect');
		await new Promise((r) => setTimeout(r, 100));
		log(`paused ${s.isPaused()}`);
		s.resume();
		await closed(s);
		await end(server);
	},
	async 'server.close waits for open connections'(sides, log) {
		let peer!: Socket;
		const { server, port } = await serve(sides, {}, (c) => {
			peer = watch(log, 'server', c);
		});
		server.on('close', () => log('listener close'));
		const s = watch(log, 'client', sides.client.connect(port, sides.address));
		await event(server, 'connection');
		const over = closed(server);
		server.close((e) => log(`closed ${e === undefined}`));
		log(`${server.listening} ${server.address()}`);
		await new Promise((r) => setTimeout(r, 50));
		server.getConnections((_, n) => log(`connections ${n}`));
		const late = watch(log, 'late', sides.client.connect(port, sides.address));
		await closed(late);
		peer.end('bye.');
		await over;
		if (!s.closed) await closed(s);
		server.close((e) => log(`again ${said(e)}`));
		await new Promise((r) => setTimeout(r, 20));
	},
	async 'maxConnections drops the rest'(sides, log) {
		const { server, port } = await serve(sides, {}, (c) => watch(log, 'server', c));
		server.maxConnections = 1;
		server.on('drop', (d) =>
			log(
				`drop ${Object.keys(d ?? {})
					.sort()
					.join()} ${d?.localPort === port}`,
			),
		);
		const first = sides.client.connect(port, sides.address);
		await event(first, 'connect');
		await new Promise((r) => setTimeout(r, 50));
		const second = watch(log, 'second', sides.client.connect(port, sides.address));
		await closed(second);
		first.destroy();
		await closed(first);
		await end(server);
	},
	async 'a port that is taken'(sides, log) {
		const { server, port } = await serve(sides, {}, () => {});
		const other = sides.server.createServer();
		other.on('listening', () => log('listening'));
		other.on('error', (e) => log(`error ${said(e)} ${other.listening}`));
		// Both on every IPv4 address.
		other.listen(port, '0.0.0.0');
		await event(other, 'error').catch(() => {});
		try {
			server.listen(1);
		} catch (e) {
			log(said(e));
		}
		await end(server);
	},
	async 'bad ports'(sides, log) {
		for (const port of [70000, -1, 'x y', NaN, 1.5]) {
			try {
				sides.client.connect(port as number, sides.address).destroy();
				log('fine');
			} catch (e) {
				log(said(e));
			}
			try {
				sides.server.createServer().listen({ port: port as number });
				log('fine');
			} catch (e) {
				log(said(e));
			}
		}
	},
	async 'abort signals'(sides, log) {
		const { server, port } = await serve(sides, {}, () => {});
		const ac = new AbortController();
		const s = watch(
			log,
			'client',
			sides.client.connect({ port, host: sides.address, signal: ac.signal } as nodeNet.NetConnectOpts),
		);
		await event(s, 'connect');
		ac.abort();
		await closed(s);
		const sc = new AbortController();
		const other = sides.server.createServer();
		other.listen({ port: 0, signal: sc.signal }, () => sc.abort());
		await closed(other);
		log('listener closed');
		await end(server);
	},
	async 'addresses, before and after'(sides, log) {
		const { server, port, taken } = await serve(sides, {}, (c) => {
			log(`${c.localPort === port} ${typeof c.remotePort} ${c.remoteAddress !== undefined}`);
			c.end();
		});
		const s = sides.client.connect(port, sides.address);
		log(`${s.remoteAddress} ${s.remotePort} ${s.remoteFamily}`);
		await Promise.all([event(s, 'connect'), taken]);
		log(`${s.remoteAddress === sides.address} ${s.remotePort === port} ${s.remoteFamily} ${s.localFamily}`);
		log(Object.keys(s.address()).sort().join());
		s.resume();
		await closed(s);
		await end(server);
	},
	async 'a socket connects again after its end'(sides, log) {
		const { server, port } = await serve(sides, {}, (c) => c.end('x.'));
		const s = watch(log, 'client', sides.client.connect(port, sides.address));
		await closed(s);
		s.connect(port, sides.address);
		await closed(s);
		await end(server);
	},
	async 'corked writes, and callbacks in order'(sides, log) {
		const { server, port } = await serve(sides, {}, (c) => watch(log, 'server', c));
		const s = watch(log, 'client', sides.client.connect(port, sides.address));
		s.cork();
		s.write('a', () => log('a written'));
		s.write('b', () => log('b written'));
		s.uncork();
		s.write('c', () => log('c written'));
		s.end('.', () => log('end called'));
		await closed(s);
		await end(server);
	},
};
