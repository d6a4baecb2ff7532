// undici (fetch, and a pool of connections) on linnet's sockets.
import http from 'node:http';
import { createNet } from 'linnet/net';
import { Agent, fetch } from 'undici';
import { main, office } from './office.mjs';

export async function example(options) {
	const { laptop, server } = await office(options);
	const web = http.createServer(async (req, res) => {
		let n = 0;
		for await (const d of req) n += d.length;
		res.setHeader('content-type', 'application/json');
		res.end(JSON.stringify({ path: req.url, bytes: n }));
	});
	const listener = createNet(server).createServer((socket) => web.emit('connection', socket)).listen(8080);

	const net = createNet(laptop);
	const dispatcher = new Agent({
		connections: 4,
		connect: ({ hostname, port }, callback) => {
			const socket = net.connect({ host: hostname, port });
			socket.once('connect', () => callback(null, socket));
			socket.once('error', (e) => callback(e, null));
		},
	});
	const url = 'http://server.example:8080';
	const answers = await Promise.all(
		Array.from({ length: 12 }, async (_, i) => {
			const res = await fetch(`${url}/${i}`, { dispatcher, method: 'POST', body: 'x'.repeat(i * 1000) });
			return await res.json();
		}),
	);
	const refused = await fetch('http://server.example:81', { dispatcher }).catch((e) => e);
	await dispatcher.close();
	web.closeAllConnections();
	listener.close();
	return { answers, refused: refused.cause?.code, where: refused.cause?.cause?.message };
}

await main(import.meta, example);
