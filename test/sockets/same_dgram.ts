/*
 * test/sockets/same_dgram.ts: what node:dgram does, as programs see it. As same.ts.
 */
import type * as nodeDgram from 'node:dgram';
import { type Log, said } from './same.ts';

export interface DgramSides {
	client: Pick<typeof nodeDgram, 'createSocket'>;
	server: Pick<typeof nodeDgram, 'createSocket'>;
	/** Where the server is, as the client sees it. */
	address: string;
}

type Socket = nodeDgram.Socket;

const event = (s: Socket, e: string) => new Promise<unknown[]>((r) => s.once(e, (...a: unknown[]) => r(a)));

async function bound(dgram: DgramSides['server'], options: nodeDgram.SocketOptions = { type: 'udp4' }) {
	const s = dgram.createSocket(options);
	s.bind(0);
	await event(s, 'listening');
	return s;
}

const close = async (...sockets: Socket[]) => {
	for (const s of sockets) {
		s.close();
		await event(s, 'close');
	}
};

function attempt(log: Log, work: () => unknown): void {
	try {
		log(`fine ${work()}`);
	} catch (e) {
		log(said(e));
	}
}

export const dgramBehaviours: Record<string, (sides: DgramSides, log: Log) => Promise<void>> = {
	async echo(sides, log) {
		const server = await bound(sides.server);
		server.on('message', (m, from) => {
			log(`server got ${m} ${from.family} ${from.size} ${typeof from.port}`);
			server.send(`re: ${m}`, from.port, from.address);
		});
		const { port } = server.address();
		const s = sides.client.createSocket('udp4');
		s.on('listening', () => log('client listening'));
		s.send('hello', port, sides.address, (e, n) => log(`client sent ${e} ${n}`));
		const [m, from] = (await event(s, 'message')) as [Buffer, nodeDgram.RemoteInfo];
		log(`client got ${m} ${from.port === port} ${from.address === sides.address}`);
		s.send(Buffer.from('a slice of it'), 2, 5, port, sides.address);
		log(`client got ${(await event(s, 'message'))[0]}`);
		s.send([Buffer.from('in '), 'parts'], port, sides.address);
		log(`client got ${(await event(s, 'message'))[0]}`);
		s.send('', port, sides.address);
		log(`client got ${(await event(s, 'message'))[0]}`);
		await close(s, server);
	},
	async connected(sides, log) {
		const server = await bound(sides.server);
		server.on('message', (m, from) => server.send(`re: ${m}`, from.port, from.address));
		const { port } = server.address();
		const s = sides.client.createSocket('udp4');
		attempt(log, () => s.remoteAddress());
		attempt(log, () => s.disconnect());
		s.connect(port, sides.address, () => log('connected'));
		attempt(log, () => s.connect(port, sides.address));
		await event(s, 'connect');
		log(`${s.remoteAddress().port === port} ${s.remoteAddress().address === sides.address}`);
		s.send('one');
		log(`got ${(await event(s, 'message'))[0]}`);
		s.send('xtwox', 1, 3);
		log(`got ${(await event(s, 'message'))[0]}`);
		attempt(log, () => s.send('x', port, sides.address));
		s.disconnect();
		attempt(log, () => s.remoteAddress());
		await close(s, server);
	},
	async 'nobody listens: who is connected is told'(sides, log) {
		const server = await bound(sides.server);
		const { port } = server.address();
		await close(server);
		const s = sides.client.createSocket('udp4');
		s.connect(port, sides.address);
		await event(s, 'connect');
		s.send('x');
		log(said((await event(s, 'error'))[0]));
		await close(s);
	},
	async 'a port that is taken'(sides, log) {
		const server = await bound(sides.server);
		const { port } = server.address();
		const other = sides.server.createSocket('udp4');
		other.bind(port);
		log(said((await event(other, 'error'))[0]));
		await close(server);
		const one = sides.server.createSocket({ type: 'udp4', reuseAddr: true });
		one.bind(port);
		await event(one, 'listening');
		const two = sides.server.createSocket({ type: 'udp4', reuseAddr: true });
		two.bind({ port, address: '0.0.0.0' });
		await event(two, 'listening');
		log(`${two.address().port === port} ${two.address().family} ${two.address().address}`);
		await close(one, two);
	},
	async 'what is wrong, and when'(sides, log) {
		const s = sides.client.createSocket('udp4');
		attempt(log, () => s.send('x', 0, sides.address));
		attempt(log, () => s.send('x', 70000, sides.address));
		attempt(log, () => s.send(5 as unknown as string, 5, sides.address));
		attempt(log, () => s.setTTL(0));
		attempt(log, () => s.address());
		attempt(log, () => s.setBroadcast(true));
		s.bind(0);
		attempt(log, () => s.bind(0));
		await event(s, 'listening');
		attempt(log, () => s.bind(0));
		attempt(log, () => s.setTTL(0));
		attempt(log, () => s.setTTL(64));
		attempt(log, () => s.setMulticastTTL(256));
		attempt(log, () => s.setMulticastTTL(3));
		attempt(log, () => s.setMulticastLoopback(true));
		attempt(log, () => s.setBroadcast(true));
		attempt(log, () => s.addMembership('10.1.2.3'));
		attempt(log, () => s.addMembership('x'));
		attempt(log, () => s.addMembership(undefined as unknown as string));
		attempt(log, () => s.dropMembership('224.0.1.9', '127.0.0.1'));
		attempt(log, () => s.addMembership('224.0.1.9', '127.0.0.1'));
		attempt(log, () => s.addMembership('224.0.1.9', '127.0.0.1'));
		attempt(log, () => s.dropMembership('224.0.1.9', '127.0.0.1'));
		attempt(log, () => s.addSourceSpecificMembership('127.0.0.1', '232.1.2.3', '127.0.0.1'));
		attempt(log, () => s.dropSourceSpecificMembership('127.0.0.1', '232.1.2.3', '127.0.0.1'));
		log(`${s.getSendQueueSize()} ${s.getSendQueueCount()} ${s.getRecvBufferSize() > 0} ${s.getSendBufferSize() > 0}`);
		s.setRecvBufferSize(10000);
		log(`${s.getRecvBufferSize()}`);
		s.close(() => log('closed'));
		attempt(log, () => s.close());
		attempt(log, () => s.send('x', 5, sides.address));
		attempt(log, () => s.address());
		await event(s, 'close');
		attempt(log, () => sides.client.createSocket('udp9' as 'udp4'));
	},
	async 'too long a message'(sides, log) {
		const server = await bound(sides.server);
		const { port } = server.address();
		const s = await bound(sides.client);
		s.send(Buffer.alloc(65508), port, sides.address, (e) => log(`sent ${said(e)}`));
		s.send(Buffer.alloc(65507), port, sides.address, (e, n) => log(`sent ${e} ${n}`));
		const [m] = (await event(server, 'message')) as [Buffer];
		log(`got ${m.length}`);
		await close(s, server);
	},
	async abort(sides, log) {
		const ac = new AbortController();
		const s = sides.client.createSocket({ type: 'udp4', signal: ac.signal });
		s.bind(0);
		await event(s, 'listening');
		ac.abort();
		await event(s, 'close');
		log('closed');
	},
};
