/*
 * cli/up.ts: `linnet up`: a host (or a small world) in real time, plugged to the outside: a TAP or TUN of this machine, QEMU, a WebSocket.
 * Walk: words -> cables opened -> the host (plain, or imported) -> each cable into a NIC -> script, files by HTTP -> until SIGINT or SIGTERM.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Outside } from '../lab/cables/outside.ts';
import { tunOf } from '../lab/cables/tun.ts';
import type { Host } from '../lab/host.ts';
import { importHost } from '../lab/import/import.ts';
import { openListeners } from '../lab/import/listeners.ts';
import { World } from '../lab/world.ts';
import { openDgram } from '../outside/dgram.ts';
import { serveFolder } from '../outside/http.ts';
import { connectStream, listenStream } from '../outside/stream.ts';
import { openTap, openTun } from '../outside/tap.ts';
import { connectWebSocket, listenWebSocket } from '../outside/websocket.ts';
import { SIGINT } from '../user/libc.ts';
import { loadSnapshot, UserError } from './load.ts';

export interface UpFlags {
	tap?: string[];
	tun?: string[];
	stream?: string[];
	streamListen?: string[];
	dgram?: string[];
	ws?: string[];
	wsListen?: string[];
	host?: string[];
	addr?: string[];
	gateway?: string;
	run?: string;
	http?: string[];
	world?: string;
	offload: boolean;
	quiet?: boolean;
}

/** What `--world FILE` exports as its default: sets up a world of its own around the cables, by their names. */
export type WorldScript = (given: { world: World; cables: Map<string, Outside> }) => unknown;

interface Plugged {
	cable: Outside;
	dev: string | null;
	/** IP packets: it goes into a TUN of the host. */
	tun?: boolean;
	/** What is to be typed on the other side. */
	hint: (addr: string | null) => string | null;
}

/** `eth1=tap0`: [device, rest]; `tap0`: [null, rest]. */
export function deviceAndRest(word: string): [string | null, string] {
	const m = /^([^\s/:=]{1,15})=(.+)$/.exec(word);
	return m === null ? [null, word] : [m[1], m[2]];
}

/** An address of the same subnet, for the other side: the first that is free. Return: as `10.0.0.1/24`, or null. */
export function neighbourOf(addr: string): string | null {
	const m = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(addr);
	if (m === null) return null;
	const bits = Number(m[5]);
	if (bits > 30) return null;
	const ip = ((Number(m[1]) << 24) | (Number(m[2]) << 16) | (Number(m[3]) << 8) | Number(m[4])) >>> 0;
	const first = (((ip & (bits === 0 ? 0 : -1 << (32 - bits))) >>> 0) + 1) >>> 0;
	const other = first === ip ? first + 1 : first;
	return `${other >>> 24}.${(other >>> 16) & 255}.${(other >>> 8) & 255}.${other & 255}/${bits}`;
}

async function openCables(world: World, flags: UpFlags): Promise<Plugged[]> {
	const cables: Plugged[] = [];
	const add = async (
		words: string[] | undefined,
		open: (name: string) => Outside | Promise<Outside>,
		hint: (name: string) => string | null = () => null,
	): Promise<void> => {
		for (const word of words ?? []) {
			const [dev, name] = deviceAndRest(word);
			cables.push({ cable: await open(name), dev, hint: () => hint(name) });
		}
	};
	const tell =
		(name: string) =>
		(addr: string | null): string => {
			const other = addr === null ? null : neighbourOf(addr);
			return `${other === null ? '' : `ip addr add ${other} dev ${name}; `}ip link set ${name} up`;
		};
	for (const word of flags.tap ?? []) {
		const [dev, name] = deviceAndRest(word);
		const hint = tell(name);
		cables.push({ cable: openTap(world, name, { offload: flags.offload }), dev, hint });
	}
	for (const word of flags.tun ?? []) {
		const [dev, name] = deviceAndRest(word);
		const hint = tell(name);
		cables.push({ cable: openTun(world, name), dev, hint, tun: true });
	}
	await add(
		flags.streamListen,
		(name) => listenStream(world, name),
		(name) =>
			name.startsWith('unix:')
				? `qemu-system-x86_64 … -netdev stream,id=n,addr.type=unix,addr.path=${name.slice(5)} -device virtio-net,netdev=n`
				: null,
	);
	await add(flags.stream, (name) => connectStream(world, name));
	await add(flags.dgram, (name) => {
		const [local, remote, more] = name.split(',');
		if (remote === undefined || more !== undefined) throw new UserError(`--dgram ${name}: expected LOCAL,REMOTE`);
		return openDgram(world, local, remote);
	});
	await add(flags.ws, (name) => connectWebSocket(world, name));
	return cables;
}

/** A switch on a port: whoever comes by WebSocket is plugged in. */
async function openSwitch(
	world: World,
	host: Host,
	word: string,
	say: (text: string) => void,
	closers: (() => void)[],
): Promise<string> {
	const [named, where] = deviceAndRest(word);
	const m = /^(?:(.*):)?(\d+)$/.exec(where);
	if (m === null) throw new UserError(`--ws-listen ${word}: expected [HOST:]PORT`);
	const dev = named ?? `eth${host.nics.size}`;
	const sw = world.switch(`ws ${where}`, [host.nic(dev)]);
	await host.must(`ip link set ${dev} up`);
	const listener = await listenWebSocket(
		world,
		Number(m[2]),
		(cable) => {
			sw.plug(cable);
			say(`${cable.name}: plugged in`);
			void cable.closed.then((why) => {
				sw.unplug(cable);
				say(why ?? `${cable.name}: gone`);
			});
		},
		m[1],
	);
	closers.push(() => listener.close());
	say(`${host.name} ${dev} <-> ws://${m[1] ?? '127.0.0.1'}:${listener.port}, one frame in each message`);
	return dev;
}

async function makeHost(world: World, flags: UpFlags, say: (text: string) => void): Promise<Host> {
	if (flags.host === undefined) return world.host('linnet');
	const imp = await importHost(world, await loadSnapshot(flags.host));
	openListeners(imp);
	for (const n of imp.notes) say(`${n.kind}: ${n.where}: ${n.text}`);
	return imp.host;
}

/** Puts each cable into a NIC: the one that was named, or the next that has none. */
async function plugAll(host: Host, cables: Plugged[], flags: UpFlags): Promise<string[]> {
	const free = [...host.nics.keys()].filter((n) => !cables.some((c) => c.dev === n));
	const devs: string[] = [];
	let tuns = 0;
	for (const c of cables) {
		const dev = c.dev ?? (c.tun === true ? `tun${tuns++}` : (free.shift() ?? `eth${host.nics.size}`));
		if (devs.includes(dev)) throw new UserError(`${dev}: two cables for one NIC`);
		devs.push(dev);
		const isNew = c.tun === true || !host.nics.has(dev);
		if (isNew && c.tun !== true && flags.host !== undefined && c.dev !== null)
			throw new UserError(`${host.name} has no device '${dev}' (it has ${[...host.nics.keys()].join(', ')})`);
		c.cable.plugInto(c.tun === true ? tunOf(host, dev) : host.nic(dev));
		if (isNew) await host.must(`ip link set ${dev} up`);
	}
	return devs;
}

function httpFolder(word: string): { dir: string; port: number } {
	const m = /^(.*?)(?::(\d+))?$/.exec(word)!;
	const dir = resolve(m[1]);
	if (!existsSync(dir) || !statSync(dir).isDirectory()) throw new UserError(`--http ${m[1]}: no such folder`);
	const port = m[2] === undefined ? 80 : Number(m[2]);
	if (port < 1 || port > 65535) throw new UserError(`--http ${word}: ${m[2]} is no port`);
	return { dir, port };
}

/** Runs `script` on the host; what it prints comes out as it is written when it is one plain command. */
async function runScript(host: Host, script: string, jobs: Set<() => void>): Promise<number> {
	const job = host.spawn(script);
	job.stdout.sink = (b) => void process.stdout.write(b);
	job.stderr.sink = (b) => void process.stderr.write(b);
	const stop = (): void => job.kill(SIGINT);
	jobs.add(stop);
	try {
		return await job.done;
	} finally {
		jobs.delete(stop);
	}
}

export async function up(flags: UpFlags): Promise<number> {
	const say = (text: string): void => {
		if (flags.quiet !== true) process.stderr.write(`linnet up: ${text}\n`);
	};
	const folders = (flags.http ?? []).map(httpFolder);
	const script = flags.run === undefined ? null : existsSync(flags.run) ? readFileSync(flags.run, 'utf8') : flags.run;
	const world = new World({ pace: 1, epoch: new Date() });
	let cables: Plugged[] = [];
	const jobs: Set<() => void> = new Set();
	const closers: (() => void)[] = [];
	let end: (why: string | null) => void = () => {};
	const ended = new Promise<string | null>((r) => {
		end = r;
	});
	let signals = 0;
	const onSignal = (): void => {
		// The first is for the script, if there is one.
		if (signals++ === 0 && jobs.size > 0) for (const j of jobs) j();
		else end(null);
	};
	process.on('SIGINT', onSignal);
	process.on('SIGTERM', () => end(null));
	try {
		cables = await openCables(world, flags);
		if (cables.length === 0 && flags.wsListen === undefined)
			throw new UserError('up: nothing to plug into; expected --tap NAME or another cable (linnet up --help)');
		for (const c of cables) void c.cable.closed.then(end);
		if (flags.world !== undefined) {
			const module = (await import(pathToFileURL(resolve(flags.world)).href)) as { default?: WorldScript };
			if (typeof module.default !== 'function')
				throw new UserError(`${flags.world}: expected 'export default async ({ world, cables }) => …'`);
			await module.default({ world, cables: new Map(cables.map((c) => [c.cable.name, c.cable])) });
			say(`world of ${flags.world}: ${[...world.hosts.keys()].join(', ')}`);
		} else {
			const host = await makeHost(world, flags, say);
			const devs = await plugAll(host, cables, flags);
			for (const word of flags.wsListen ?? []) devs.push(await openSwitch(world, host, word, say, closers));
			const addrs = new Map<string, string>();
			for (const [i, word] of (flags.addr ?? []).entries()) {
				const [dev, addr] = deviceAndRest(word);
				const d = dev ?? devs[Math.min(i, devs.length - 1)];
				const r = await host.sh(`ip addr add '${addr.replaceAll("'", '')}' dev '${d}'`);
				if (r.exitCode !== 0) throw new UserError(`--addr ${word}: ${r.stderr.trim()}`);
				addrs.set(d, addr);
			}
			if (flags.gateway !== undefined) {
				const r = await host.sh(`ip route add default via '${flags.gateway.replaceAll("'", '')}'`);
				if (r.exitCode !== 0) throw new UserError(`--gateway ${flags.gateway}: ${r.stderr.trim()}`);
			}
			for (const [i, c] of cables.entries()) {
				const addr = addrs.get(devs[i]) ?? null;
				say(`${host.name} ${devs[i]}${addr === null ? '' : ` ${addr}`} <-> ${c.cable.name}`);
				const hint = c.hint(addr);
				if (hint !== null) say(`on this machine: ${hint}`);
			}
			for (const { dir, port } of folders) {
				await serveFolder(host, dir, port);
				say(`http port ${port}: ${dir}`);
			}
			if (script !== null) {
				const status = await Promise.race([runScript(host, script, jobs), ended.then(() => null)]);
				// A script alone is a command: its end is ours.
				if (status !== null && folders.length === 0) return status;
			}
		}
		say('up; Ctrl-C ends it');
		const why = await ended;
		if (why !== null) throw new UserError(why);
		return 0;
	} finally {
		process.off('SIGINT', onSignal);
		for (const c of closers) c();
		for (const { cable } of cables) {
			const c = cable.counters;
			say(
				`${cable.name}: ${c.rx} frames (${c.rxBytes} bytes) in, ${c.tx} (${c.txBytes}) out${c.rxDropped + c.txDropped > 0 ? `, lost ${c.rxDropped} and ${c.txDropped}` : ''}`,
			);
			cable.close();
		}
	}
}
