/*
 * lab/disk.ts: a host's disk, and the file system as the host's shell sees it: the disk, with the kernel's /proc and /sys over it.
 * The disk is just-bash's in-memory file system; it is loaded when a script or program first asks for a file.
 */
import type { IFileSystem, InMemoryFs } from 'just-bash';
import { is_kernel_path, kernel_read, kernel_readdir, kernel_write, normalize_path, type rootfs } from '../fs/vfs.ts';
import type { task_struct } from '../kernel/sched.ts';
import { EACCES, EEXIST, EIO, EISDIR, ENOENT, ENOTDIR, errno_name, strerror } from '../uapi/asm-generic/errno.ts';
import { utf8 } from '../user/libc.ts';

type BashModule = typeof import('just-bash');
let bashModule: Promise<BashModule> | undefined;

/** just-bash, loaded once: 3 MB that only those need who run scripts. */
export function loadBash(): Promise<BashModule> {
	bashModule ??= import('just-bash');
	return bashModule;
}

/** What just-bash passes through its pipes: a string with one character a byte. Its browser bundle has no functions for it. */
type ByteString = Awaited<ReturnType<NonNullable<IFileSystem['readFileBytes']>>>;

export function toByteString(b: Uint8Array): ByteString {
	let s = '';
	for (let i = 0; i < b.length; i += 8192) s += String.fromCharCode(...b.subarray(i, i + 8192));
	return s as unknown as ByteString;
}

export function fromByteString(s: ByteString): Uint8Array {
	return Uint8Array.from(s as unknown as string, (c) => c.charCodeAt(0));
}

function errnoOf(e: unknown): number {
	const text = e instanceof Error ? e.message : '';
	for (const [name, n] of [
		['ENOENT', ENOENT],
		['EISDIR', EISDIR],
		['ENOTDIR', ENOTDIR],
		['EEXIST', EEXIST],
		['EACCES', EACCES],
	] as const) {
		if (text.includes(name)) return -n;
	}
	return -EIO;
}

export class Disk implements rootfs {
	private files: Record<string, string>;
	private fs: Promise<InMemoryFs> | null = null;

	/** `files`: what is there from the start, by path. */
	constructor(files: Record<string, string>) {
		this.files = files;
	}

	memory(): Promise<InMemoryFs> {
		this.fs ??= loadBash().then(async ({ InMemoryFs }) => {
			const fs = new InMemoryFs(this.files);
			for (const dir of ['/tmp', '/root', '/run', '/var/run', '/var/log', '/bin', '/usr/bin'])
				await fs.mkdir(dir, { recursive: true });
			return fs;
		});
		return this.fs;
	}

	async read(path: string): Promise<Uint8Array | number> {
		try {
			return await (await this.memory()).readFileBuffer(path);
		} catch (e) {
			return errnoOf(e);
		}
	}

	async write(path: string, data: Uint8Array, append: boolean): Promise<number> {
		try {
			const fs = await this.memory();
			if (append) await fs.appendFile(path, data);
			else await fs.writeFile(path, data);
			return 0;
		} catch (e) {
			return errnoOf(e);
		}
	}

	async readdir(path: string): Promise<string[] | number> {
		try {
			return (await (await this.memory()).readdir(path)).sort();
		} catch (e) {
			return errnoOf(e);
		}
	}

	async mkdir(path: string): Promise<number> {
		try {
			await (await this.memory()).mkdir(path);
			return 0;
		} catch (e) {
			return errnoOf(e);
		}
	}

	async unlink(path: string): Promise<number> {
		try {
			await (await this.memory()).rm(path);
			return 0;
		} catch (e) {
			return errnoOf(e);
		}
	}
}

const STUB_TIME = new Date(0);
const stubs: Map<string, () => string> = new Map();

function stub(content: string): () => string {
	let s = stubs.get(content);
	if (s === undefined) {
		s = () => content;
		stubs.set(content, s);
	}
	return s;
}

function fail(errno: number, call: string, path: string): never {
	throw new Error(`${errno_name(errno)}: ${strerror(errno).toLowerCase()}, ${call} '${path}'`);
}

/**
 * The whole tree as one shell sees it: /proc and /sys are those of its namespace. `refused`: told of a write that the kernel refuses, since the
 * shell knows no failing redirection.
 */
export async function shellFileSystem(
	disk: Disk,
	task: task_struct,
	refused: (path: string, errno: number) => void,
): Promise<IFileSystem> {
	const base = await disk.memory();
	const read = (path: string): string => {
		const text = kernel_read(task, path);
		return typeof text === 'number' ? fail(-text, 'open', path) : text;
	};
	const isDir = (path: string): boolean => typeof kernel_readdir(task, path) !== 'number';
	const netns = (path: string): boolean => /^(\/var)?\/run\/netns(\/|$)/.test(path);
	const stat: IFileSystem['stat'] = async (path) => {
		const p = normalize_path(path);
		if (netns(p)) {
			const name = p.replace(/^(\/var)?\/run\/netns\/?/, '');
			const known = task.machine.netns_mounts.has(name);
			if (name !== '' && !known) fail(ENOENT, 'stat', path);
			return { isFile: known, isDirectory: !known, isSymbolicLink: false, mode: 0o444, size: 0, mtime: new Date(0) };
		}
		if (!is_kernel_path(p)) return base.stat(path);
		const dir = isDir(p);
		if (!dir) read(p);
		return {
			isFile: !dir,
			isDirectory: dir,
			isSymbolicLink: false,
			mode: dir ? 0o555 : 0o644,
			size: 0,
			mtime: new Date(0),
		};
	};
	const write = async (path: string, content: string | Uint8Array): Promise<void> => {
		const text = typeof content === 'string' ? content : new TextDecoder().decode(content);
		const err = kernel_write(task, normalize_path(path), text);
		// The shell opens a file by writing nothing to it.
		if (err < 0 && text !== '') refused(path, -err);
	};
	const over: Partial<IFileSystem> = {
		readFile: async (path, options) =>
			is_kernel_path(normalize_path(path)) ? read(path) : base.readFile(path, options),
		readFileBytes: async (path) =>
			is_kernel_path(normalize_path(path)) ? toByteString(utf8(read(path))) : base.readFileBytes(path),
		readFileBuffer: async (path) =>
			is_kernel_path(normalize_path(path)) ? utf8(read(path)) : base.readFileBuffer(path),
		writeFile: async (path, content, options) =>
			is_kernel_path(normalize_path(path)) ? write(path, content) : base.writeFile(path, content, options),
		appendFile: async (path, content, options) =>
			is_kernel_path(normalize_path(path)) ? write(path, content) : base.appendFile(path, content, options),
		exists: async (path) => {
			try {
				await stat(path);
				return true;
			} catch {
				return false;
			}
		},
		stat,
		lstat: async (path) =>
			is_kernel_path(normalize_path(path)) || netns(normalize_path(path)) ? stat(path) : base.lstat(path),
		readdir: async (path) => {
			const p = normalize_path(path);
			if (netns(p)) return [...task.machine.netns_mounts.keys()].sort();
			if (p === '/') return [...new Set([...(await base.readdir('/')), 'proc', 'sys'])].sort();
			if (!is_kernel_path(p)) return base.readdir(path);
			const names = kernel_readdir(task, p);
			return typeof names === 'number' ? fail(-names, 'scandir', path) : names;
		},
		readdirWithFileTypes: async (path) => {
			const p = normalize_path(path);
			if (p !== '/' && !is_kernel_path(p) && !netns(p)) return base.readdirWithFileTypes(path);
			const out = [];
			for (const name of await over.readdir!(path)) {
				const s = await stat(p === '/' ? '/' + name : p + '/' + name);
				out.push({ name, isFile: s.isFile, isDirectory: s.isDirectory, isSymbolicLink: false });
			}
			return out;
		},
		realpath: async (path) => (is_kernel_path(normalize_path(path)) ? normalize_path(path) : base.realpath(path)),
	};
	// The shell puts a stub into /bin and /usr/bin for each command: they are the same on all hosts, and made only when somebody reads one.
	const writeFileSync: InMemoryFs['writeFileSync'] = (path, content, ...rest) => {
		if (typeof content === 'string' && /^(\/usr)?\/bin\/[^/]+$/.test(path))
			base.writeFileLazy(path, stub(content), { mtime: STUB_TIME });
		else base.writeFileSync(path, content, ...rest);
	};
	const own_methods: Record<string | symbol, unknown> = { ...over, writeFileSync };
	return new Proxy(base as IFileSystem, {
		get(target, key) {
			const own = own_methods[key];
			if (own !== undefined) return own;
			const value = (target as unknown as Record<string | symbol, unknown>)[key];
			return typeof value === 'function' ? value.bind(target) : value;
		},
	});
}
