/*
 * test/sockets/process_program.ts: what process.test.ts runs: `node program.mjs SCENARIO`.
 */
import { World } from '../../src/lab/index.ts';
import { createDgram } from '../../src/sockets/dgram.ts';
import { createNet } from '../../src/sockets/net.ts';
import { withStreams } from '../../src/sockets/streams.ts';

const scenario = process.argv[2];
const world = new World({ seed: 1, pace: scenario === 'paced' ? 1 : 0 });
const a = world.host('a');
const b = world.host('b');
world.link(a.nic('eth0'), b.nic('eth0'), { delay: 2 });
await a.must('ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up');
await b.must('ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up');
const [an, bn] = [createNet(a), createNet(b)];
const done = () => console.log('done');

/** After a second of doing nothing: how much of it was work. */
function idle(): void {
	setTimeout(() => {
		const cpu = process.cpuUsage();
		const from = world.now;
		setTimeout(() => {
			const { user, system } = process.cpuUsage(cpu);
			// Time has gone on by itself: ask the world.
			world.enter();
			console.log(`cpu ${Math.round((user + system) / 1000)} ms, passed ${Math.round(world.now - from)} ms`);
			process.exit(7);
		}, 1000).unref();
	}, 200).unref();
}

const scenarios: Record<string, () => void> = {
	closed() {
		const server = bn.createServer((c) => {
			c.end('bye');
			server.close();
		});
		server.listen(80, () => an.connect(80, '10.0.0.2').resume().on('close', done));
	},
	paced: () => scenarios.closed(),
	unref() {
		bn.createServer().listen(80).unref();
		done();
	},
	'udp unref'() {
		createDgram(a).createSocket('udp4').bind(5, done).unref();
	},
	streams() {
		const sa = withStreams(a);
		const l = withStreams(b).listenTcp({ port: 80 });
		void (async () => {
			for await (const c of l) {
				c.close();
				l.close();
			}
		})();
		void sa.connectTcp({ hostname: '10.0.0.2', port: 80 }).then(async (c) => {
			await new Response(c.readable).text();
			c.close();
			done();
		});
	},
	'destroyed in flight'() {
		const server = bn.createServer((c) => c.on('error', () => {}).resume());
		server.listen(80, () => {
			const s = an.connect(80, '10.0.0.2', () => {
				s.write(Buffer.alloc(1 << 20));
				s.destroy();
				server.close(done);
			});
		});
	},
	listening() {
		bn.createServer().listen(80);
		idle();
	},
	connected() {
		bn.createServer(() => {}).listen(80, () => an.connect(80, '10.0.0.2').setKeepAlive(true, 1000));
		idle();
	},
	udp() {
		createDgram(a).createSocket('udp4').bind(5);
		idle();
	},
	throws() {
		const server = bn.createServer((c) => c.write('x'));
		server.listen(80, () =>
			an.connect(80, '10.0.0.2').on('data', () => {
				throw new Error('thrown by a listener');
			}),
		);
	},
};
scenarios[scenario]();
