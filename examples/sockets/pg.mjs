// pg on linnet's sockets, against a small server that speaks PostgreSQL's protocol 3: startup, password, simple and extended queries.
import { createHash } from 'node:crypto';
import { createNet } from 'linnet/net';
import pg from 'pg';
import { main, office } from './office.mjs';

const message = (type, ...parts) => {
	const body = Buffer.concat(parts);
	const head = Buffer.alloc(5);
	head.write(type, 0, 'latin1');
	head.writeInt32BE(body.length + 4, 1);
	return Buffer.concat([head, body]);
};
const int16 = (n) => Buffer.from([n >> 8, n & 255]);
const int32 = (n) => Buffer.from([n >> 24, n >> 16, n >> 8, n]);
const text = (s) => Buffer.from(`${s}\0`);
const READY = message('Z', Buffer.from('I'));
const md5 = (s) => createHash('md5').update(s).digest('hex');

const describe = (names) =>
	message('T', int16(names.length), ...names.map((n) => Buffer.concat([text(n), int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0)])));
const row = (values) =>
	message('D', int16(values.length), ...values.map((v) => Buffer.concat([int32(Buffer.byteLength(v)), Buffer.from(v)])));

/** What the server knows: `select` of numbers up to n, and echo. */
function answer(sql, params) {
	const series = /generate_series\(1, (\d+)\)/.exec(sql);
	if (series) return { names: ['n', 'square'], rows: Array.from({ length: +series[1] }, (_, i) => [`${i + 1}`, `${(i + 1) ** 2}`]) };
	if (/^select \$1/.test(sql)) return { names: ['echo'], rows: [[params[0]]] };
	return null;
}

function serve(socket) {
	let buffer = Buffer.alloc(0);
	let state = 'startup';
	let user = '';
	const prepared = { sql: '', params: [] };
	const salt = Buffer.from([1, 2, 3, 4]);
	const say = (...messages) => socket.write(Buffer.concat(messages));
	const finish = (r, describeIt) => {
		const out = describeIt ? [describe(r.names)] : [];
		for (const values of r.rows) out.push(row(values));
		out.push(message('C', text(`SELECT ${r.rows.length}`)));
		return out;
	};
	const handlers = {
		p: (b) => {
			const want = `md5${md5(Buffer.concat([Buffer.from(md5(`secret${user}`)), salt]))}`;
			if (b.toString('latin1', 0, b.length - 1) !== want)
				return socket.end(message('E', Buffer.from('SFATAL\0C28P01\0Mpassword authentication failed\0\0')));
			say(message('R', int32(0)), message('S', text('server_version'), text('16.0')), READY);
		},
		Q: (b) => {
			const r = answer(b.toString('utf8', 0, b.length - 1), []);
			if (r === null) say(message('E', Buffer.from('SERROR\0C42601\0Msyntax error\0\0')), READY);
			else say(...finish(r, true), READY);
		},
		P: (b) => {
			prepared.sql = b.toString('utf8', b.indexOf(0) + 1, b.indexOf(0, b.indexOf(0) + 1));
			say(message('1'));
		},
		B: (b) => {
			let at = b.indexOf(0, b.indexOf(0) + 1) + 1;
			at += 2 + 2 * b.readInt16BE(at);
			prepared.params = [];
			for (let n = b.readInt16BE(at), o = at + 2; n > 0; n--) {
				const len = b.readInt32BE(o);
				prepared.params.push(b.toString('utf8', o + 4, o + 4 + len));
				o += 4 + len;
			}
			say(message('2'));
		},
		D: () => say(describe(answer(prepared.sql, prepared.params).names)),
		E: () => say(...finish(answer(prepared.sql, prepared.params), false)),
		S: () => say(READY),
		X: () => socket.end(),
	};
	socket.on('data', (d) => {
		buffer = Buffer.concat([buffer, d]);
		for (;;) {
			const head = state === 'startup' ? 0 : 1;
			if (buffer.length < head + 4) return;
			const len = buffer.readInt32BE(head);
			if (buffer.length < head + len) return;
			const body = buffer.subarray(head + 4, head + len);
			const type = head === 0 ? '' : String.fromCharCode(buffer[0]);
			buffer = buffer.subarray(head + len);
			if (state === 'startup') {
				const words = body.toString('utf8', 4).split('\0');
				user = words[words.indexOf('user') + 1];
				state = 'open';
				say(message('R', int32(5), salt));
			} else handlers[type]?.(body);
		}
	});
	socket.on('error', () => {});
}

export async function example(options) {
	const { laptop, server } = await office(options);
	const listener = createNet(server).createServer(serve).listen(5432);

	const net = createNet(laptop);
	const pool = new pg.Pool({
		host: 'server.example',
		user: 'robin',
		password: 'secret',
		database: 'birds',
		ssl: false,
		max: 3,
		stream: () => new net.Socket(),
	});
	const [series, echo, wrong] = await Promise.all([
		pool.query('select n, n * n as square from generate_series(1, 2000)'),
		pool.query('select $1 as echo', ['a parameter']),
		pool.query('selekt').catch((e) => e),
	]);
	const refused = new pg.Client({ host: 'server.example', user: 'robin', password: 'wrong', ssl: false, stream: () => new net.Socket() });
	refused.on('error', () => {});
	const denied = await refused.connect().catch((e) => e);
	await pool.end();
	listener.close();
	return { rows: series.rows.length, last: series.rows.at(-1), echo: echo.rows[0].echo, wrong: wrong.code, denied: denied.code };
}

await main(import.meta, example);
