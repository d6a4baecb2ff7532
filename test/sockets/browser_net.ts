/*
 * test/sockets/browser_net.ts: linnet/net and linnet/dgram in a page.
 */
import { createDgram } from '../../src/sockets/dgram.ts';
import { createNet } from '../../src/sockets/net.ts';
import { hosts } from './browser_streams.ts';

export async function talk(): Promise<Record<string, unknown>> {
	const { a, b } = await hosts();
	const server = createNet(b).createServer((s) => s.pipe(s));
	await new Promise<void>((resolve) => server.listen(7, () => resolve()));
	const s = createNet(a).connect(7, '10.0.0.2');
	const events: string[] = [];
	for (const e of ['connect', 'ready', 'end', 'finish', 'close']) s.on(e, () => events.push(e));
	let got = 0;
	s.on('data', (d: Uint8Array) => {
		got += d.length;
	});
	for (let i = 0; i < 50; i++) s.write('x'.repeat(10_000));
	s.end();
	await new Promise<void>((resolve) => s.once('close', () => resolve()));
	server.close();
	const refused = createNet(a).connect(8, '10.0.0.2');
	const error = await new Promise<Error>((resolve) => refused.once('error', resolve));
	const echo = createDgram(b).createSocket('udp4', (m, from) => echo.send(m, from.port, from.address));
	echo.bind(9);
	const u = createDgram(a).createSocket('udp4');
	let datagram = '';
	// Of datagrams that may be lost, one comes back.
	const back = new Promise<void>((resolve) =>
		u.on('message', (m) => {
			datagram = String(m);
			resolve();
		}),
	);
	for (let i = 0; i < 5; i++) u.send('ping', 9, '10.0.0.2');
	await back;
	u.close();
	echo.close();
	return { got, events, error: error.message, datagram };
}
