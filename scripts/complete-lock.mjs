// Completes package-lock.json after npm install from a registry that lacks some of the packages for other platforms: npm leaves those out
// of the lock, and npm ci then calls the lock incomplete. Usage: node scripts/complete-lock.mjs
import { readFileSync, writeFileSync } from 'node:fs';

const OS = ['android', 'darwin', 'linux', 'win32', 'freebsd', 'netbsd', 'openbsd', 'sunos', 'aix', 'openharmony'];
const CPU = ['x64', 'arm64', 'arm', 'ia32', 'ppc64', 's390x', 'riscv64', 'loong64', 'mips64el'];

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const packages = lock.packages;
for (const [path, entry] of Object.entries(packages)) {
	for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
		if (packages[`${path}/node_modules/${name}`] || packages[`node_modules/${name}`]) continue;
		const words = name.split(/[/-]/);
		const os = words.find((w) => OS.includes(w));
		const cpu = words.find((w) => CPU.includes(w));
		if (!os && !cpu) {
			console.error(`${name}: for which platform?`);
			process.exitCode = 1;
			continue;
		}
		console.log(`added ${name} ${version}`);
		packages[`node_modules/${name}`] = {
			version: version.replace(/^[\^~]/, ''),
			...(cpu && { cpu: [cpu] }),
			...(entry.dev && { dev: true }),
			...(os === 'linux' && { libc: [words.includes('musl') ? 'musl' : 'glibc'] }),
			optional: true,
			...(os && { os: [os] }),
			...(entry.engines && { engines: entry.engines }),
		};
	}
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
