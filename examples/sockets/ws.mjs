// ws: a WebSocket server and client on linnet's sockets.
import http from 'node:http';
import { createNet } from 'linnet/net';
import { WebSocket, WebSocketServer } from 'ws';
import { main, office } from './office.mjs';

export async function example(options) {
	const { laptop, server } = await office(options);
	const web = http.createServer();
	const chat = new WebSocketServer({ server: web });
	chat.on('connection', (peer) => peer.on('message', (m, binary) => peer.send(m, { binary })));
	const listener = createNet(server).createServer((socket) => web.emit('connection', socket)).listen(80);

	const client = new WebSocket('ws://server.example/chat', { createConnection: createNet(laptop).createConnection });
	const next = () => new Promise((resolve, reject) => client.once('message', resolve).once('error', reject));
	await new Promise((resolve, reject) => client.once('open', resolve).once('error', reject));
	const echoes = [];
	for (const text of ['hello', 'over', 'linnet']) {
		client.send(text);
		echoes.push(String(await next()));
	}
	client.send(Buffer.alloc(300_000, 7));
	const big = await next();
	client.ping();
	await new Promise((resolve) => client.once('pong', resolve));
	client.close(1000, 'bye');
	const [code, reason] = await new Promise((resolve) => client.once('close', (c, r) => resolve([c, String(r)])));
	chat.close();
	web.closeAllConnections();
	listener.close();
	return { echoes, big: big.length, code, reason };
}

await main(import.meta, example);
