// node:http on linnet's sockets: a server and a client with a keep-alive agent. Run: npm run build && node examples/sockets/http.mjs
import http from 'node:http';
import { createNet } from 'linnet/net';
import { main, office } from './office.mjs';

export async function example(options) {
	const { laptop, server } = await office(options);

	const web = http.createServer(async (req, res) => {
		if (req.url === '/big') return res.end(Buffer.alloc(1 << 20, 'linnet'));
		let body = '';
		for await (const d of req) body += d;
		res.setHeader('content-type', 'text/plain');
		res.end(`${req.method} ${req.url} from ${req.socket.remoteAddress}: ${body}`);
	});
	const listener = createNet(server).createServer((socket) => web.emit('connection', socket)).listen(80);

	const net = createNet(laptop);
	const agent = new http.Agent({ keepAlive: true });
	agent.createConnection = net.createConnection;
	const ask = (path, { method = 'GET', body } = {}) =>
		new Promise((resolve, reject) => {
			const req = http.request({ agent, host: 'server.example', path, method }, async (res) => {
				const parts = [];
				for await (const d of res) parts.push(d);
				resolve({ status: res.statusCode, body: Buffer.concat(parts), port: req.socket.localPort });
			});
			req.on('error', reject);
			req.end(body);
		});

	const hello = await ask('/hello');
	const posted = await ask('/things', { method: 'POST', body: 'one thing' });
	const big = await ask('/big');
	agent.destroy();
	web.closeAllConnections();
	listener.close();
	return {
		hello: hello.body.toString(),
		posted: posted.body.toString(),
		big: big.body.equals(Buffer.alloc(1 << 20, 'linnet')),
		oneConnection: hello.port === posted.port && posted.port === big.port,
	};
}

await main(import.meta, example);
