// ssh2: a client and its own server on linnet's sockets: a command, and a port forwarded through the connection.
import { createNet } from 'linnet/net';
import ssh2 from 'ssh2';
import { main, office } from './office.mjs';

export async function example(options) {
	const { laptop, server } = await office(options);
	const far = createNet(server);
	const keys = ssh2.utils.generateKeyPairSync('ed25519');
	const sshd = new ssh2.Server({ hostKeys: [keys.private] }, (peer) => {
		peer.on('error', () => {});
		peer.on('authentication', (a) => (a.method === 'password' && a.password === 'secret' ? a.accept() : a.reject(['password'])));
		peer.on('ready', () => {
			peer.on('session', (accept) =>
				accept().on('exec', (acceptExec, _reject, info) => {
					const stream = acceptExec();
					stream.write(`you said: ${info.command}\n`);
					stream.exit(3);
					stream.end();
				}),
			);
			peer.on('tcpip', (accept, _reject, info) => {
				const channel = accept();
				const target = far.connect(info.destPort, info.destIP);
				channel.pipe(target).pipe(channel);
			});
		});
	});
	const listener = far.createServer((socket) => sshd.injectSocket(socket)).listen(22);
	const inner = far.createServer((socket) => socket.end('only for hosts inside\n')).listen(8000, '127.0.0.1');

	const client = new ssh2.Client();
	await new Promise((resolve, reject) => {
		client.once('ready', resolve).once('error', reject);
		client.connect({ sock: createNet(laptop).connect(22, 'server.example'), username: 'robin', password: 'secret' });
	});
	const ran = await new Promise((resolve, reject) => {
		client.exec('uname -a', (error, stream) => {
			if (error) return reject(error);
			let output = '';
			stream.on('data', (d) => (output += d));
			stream.on('close', (code) => resolve({ output, code }));
		});
	});
	const forwarded = await new Promise((resolve, reject) => {
		client.forwardOut('127.0.0.1', 12345, '127.0.0.1', 8000, (error, stream) => {
			if (error) return reject(error);
			let output = '';
			stream.on('data', (d) => (output += d));
			stream.on('close', () => resolve(output));
		});
	});
	const over = new Promise((resolve) => client.once('close', resolve));
	client.end();
	await over;
	listener.close();
	inner.close();
	return { ...ran, forwarded };
}

await main(import.meta, example);
