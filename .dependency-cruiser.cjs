// The house's walls: which room may import from which (ARCHITECTURE.md). A file in no room is an error too.
const src = (...rooms) => rooms.map((r) => `^src/${r}/`).join('|');

/** A room and the rooms (as path patterns) that it may import values from, beside itself. */
const rooms = {
	uapi: [],
	lib: ['uapi'],
	packet: ['uapi', 'lib'],
	kernel: ['uapi', 'lib', 'fs'],
	fs: ['uapi', 'lib', 'kernel'],
	'net/core': ['uapi', 'lib', 'kernel', 'fs', 'net/sched', 'net/ethernet', 'net/netlink', 'net/ethtool'],
	'net/sched': ['uapi', 'lib', 'kernel', 'fs', 'net/core', 'net/netlink'],
	'net/ethernet': ['uapi', 'lib', 'kernel', 'net/core'],
	'net/ethtool': ['uapi', 'lib', 'kernel', 'net/core', 'net/netlink'],
	'net/netlink': ['uapi', 'lib', 'kernel', 'fs', 'net/core'],
	'net/netfilter': ['uapi', 'lib', 'kernel', 'fs', 'net/core', 'net/netlink', 'net/ipv4'],
	'net/packet': ['uapi', 'lib', 'kernel', 'fs', 'net/core'],
	'net/ipv4': ['uapi', 'lib', 'kernel', 'fs', 'net/core', 'net/netlink', 'net/ethernet', 'net/netfilter'],
	'net/ipv6': ['uapi', 'lib', 'kernel', 'fs', 'net/core', 'net/netlink'],
	'net/llc': ['uapi', 'lib', 'kernel', 'net/core', 'net/802'],
	'net/802': ['uapi', 'lib', 'kernel', 'net/core'],
	drivers: ['uapi', 'lib', 'kernel', 'net/core', 'net/ethernet', 'net/ethtool', 'net/netlink', 'net/sched'],
	boot: ['uapi', 'lib', 'kernel', 'fs', 'net', 'drivers'],
	user: ['uapi', 'lib', 'packet'],
	lab: ['uapi', 'lib', 'packet', 'kernel', 'fs', 'net', 'drivers', 'boot', 'user', 'trace'],
	trace: ['uapi', 'lib', 'packet', 'kernel', 'net', 'user', 'lab'],
	firewall: ['uapi', 'lib', 'packet', 'kernel', 'net', 'drivers', 'user', 'lab', 'trace'],
	sockets: ['uapi', 'lib', 'kernel', 'net', 'user', 'lab', 'trace'],
	packetdrill: ['uapi', 'lib', 'kernel', 'drivers', 'user', 'lab'],
	outside: ['uapi', 'lib', 'drivers', 'user', 'lab'],
	cli: ['uapi', 'lib', 'packet', 'kernel', 'user', 'lab', 'trace', 'firewall', 'packetdrill', 'sockets', 'outside'],
};

const SOCKET = '^src/net/socket\\.ts$';

/** Edges that Linux has too, from a room to one file outside of its walls, each with its reason. */
const named = {
	// packet_ioctl() ends in inet_dgram_ops.ioctl: SIOCINQ and SIOCOUTQ of a datagram socket.
	'net/packet': ['^src/net/ipv4/raw\\.ts$'],
};

const walls = Object.entries(rooms).map(([room, below]) => ({
	name: `room-${room.replace('/', '-')}`,
	comment: `src/${room} imports values only from itself and from: ${below.join(', ') || 'nothing'}`,
	severity: 'error',
	from: { path: src(room) },
	to: {
		path: '^src/',
		pathNot: [
			src(room, ...below),
			...(named[room] ?? []),
			...(room.startsWith('net/') || room === 'boot' ? [SOCKET] : []),
		].join('|'),
		// C's forward declarations: `import type` may point up between the kernel's rooms.
		...(room.startsWith('net/') || ['kernel', 'fs', 'drivers'].includes(room)
			? { dependencyTypesNot: ['type-only'] }
			: {}),
	},
}));

module.exports = {
	forbidden: [
		...walls.map((w) => (w.name === 'room-user' ? { ...w, from: { ...w.from, pathNot: '^src/user/libc\\.ts$' } } : w)),
		{
			name: 'libc-is-the-door',
			comment: 'user/libc.ts is the one file of userland that calls the kernel',
			severity: 'error',
			from: { path: '^src/user/libc\\.ts$' },
			to: {
				path: '^src/',
				pathNot: [src('user', 'uapi', 'lib', 'kernel', 'fs'), SOCKET, '^src/net/core/net_namespace\\.ts$'].join('|'),
			},
		},
		{
			name: 'socket-ts',
			comment: 'net/socket.ts stands beside net/core',
			severity: 'error',
			from: { path: SOCKET },
			to: {
				path: '^src/',
				pathNot: [src('uapi', 'lib', 'kernel', 'net/core'), SOCKET].join('|'),
				dependencyTypesNot: ['type-only'],
			},
		},
		{
			name: 'no-packages-below-lab',
			comment: 'nothing below lab/ depends on a package or on Node',
			severity: 'error',
			from: { path: src('uapi', 'lib', 'packet', 'kernel', 'fs', 'net', 'drivers', 'boot', 'user') },
			to: {
				dependencyTypes: [
					'npm',
					'npm-dev',
					'npm-optional',
					'npm-peer',
					'npm-no-pkg',
					'npm-unknown',
					'core',
					'unknown',
					'undetermined',
				],
			},
		},
		{
			name: 'node-only-in-cli',
			comment: 'only cli/ and outside/ know Node; and sockets/, by rules of its own',
			severity: 'error',
			from: { path: '^src/', pathNot: '^src/(cli/|outside/|sockets/)' },
			to: { dependencyTypes: ['core'] },
		},
		{
			name: 'sockets-platform',
			comment: 'of sockets/ one file knows Node, and one what stands for it in browsers; the others know its types',
			severity: 'error',
			from: { path: '^src/sockets/', pathNot: '^src/sockets/platform(\\.browser)?\\.ts$' },
			to: {
				dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional', 'npm-peer'],
				dependencyTypesNot: ['type-only'],
			},
		},
		{
			name: 'streams-know-no-node',
			comment: 'linnet/streams and what it is made of needs neither Node nor packages that stand in for it',
			severity: 'error',
			from: { path: '^src/sockets/(streams|loop|tcp|udp|cause|errors|names)\\.ts$' },
			to: { path: '^src/sockets/(?!(loop|tcp|udp|cause|errors|names)\\.ts$)' },
		},
		{
			name: 'streams-know-no-node',
			comment: 'linnet/streams and what it is made of needs neither Node nor packages, be it for a type',
			severity: 'error',
			from: { path: '^src/sockets/(streams|loop|tcp|udp|cause|errors|names)\\.ts$' },
			to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg'] },
		},
		{
			name: 'no-room',
			comment: 'every file of src/ stands in a room that has a rule',
			severity: 'error',
			from: {},
			to: { path: '^src/', pathNot: [src(...Object.keys(rooms)), SOCKET].join('|') },
		},
		{
			name: 'no-orphan-room',
			severity: 'error',
			from: { orphan: true, path: '^src/', pathNot: [src(...Object.keys(rooms)), SOCKET].join('|') },
			to: {},
		},
		{
			name: 'not-resolvable',
			comment: 'an import that leads nowhere',
			severity: 'error',
			from: { path: '^src/' },
			to: { couldNotResolve: true },
		},
		{
			name: 'src-knows-no-tests',
			severity: 'error',
			from: { path: '^src/' },
			to: { path: '^(test|bench)/' },
		},
	],
	options: {
		// TypeScript 7 has no JavaScript API; without swc no file would be read at all. swc does not tell type-only imports apart: run this
		// by scripts/layers.mjs, which does (test/layers.test.ts proves that a wrong import is found).
		parser: 'swc',
		tsPreCompilationDeps: true,
		doNotFollow: { path: 'node_modules' },
		moduleSystems: ['es6'],
		enhancedResolveOptions: {
			extensions: ['.ts', '.mjs', '.js'],
			exportsFields: ['exports'],
			conditionNames: ['import', 'types', 'node', 'default'],
		},
	},
};
