/*
 * test/layers.test.ts: `npm run layers` finds what it is there to find: each kind of wrong import, in a small tree made for it.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, expect, it } from 'vitest';

const made: string[] = [];
afterEach(() => {
	for (const dir of made.splice(0)) rmSync(dir, { recursive: true });
});

/** The rules that a tree of files breaks, as "rule: from imports to". */
function layers(files: Record<string, string>): string[] {
	const root = mkdtempSync(join(tmpdir(), 'linnet-layers-test-'));
	made.push(root);
	for (const [path, text] of Object.entries(files)) {
		mkdirSync(dirname(join(root, path)), { recursive: true });
		writeFileSync(join(root, path), text);
	}
	const script = resolve(import.meta.dirname, '../scripts/layers.mjs');
	const r = spawnSync(process.execPath, [script, root], { encoding: 'utf8' });
	const found = r.stdout.split('\n').filter((l) => /^[\w-]+: \S+ imports /.test(l));
	expect(r.stderr).toBe('');
	expect(r.status).toBe(found.length > 0 ? 1 : 0);
	return found.map((l) => l.replace(root, ''));
}

const VALUE = 'export const x = 1;\nexport type y = number;\n';

it('lets imports pass that point down, and a forward declaration that points up', () => {
	const found = layers({
		'src/net/ipv4/a.ts':
			"import { x } from '../core/b.ts';\nimport type { y } from '../../boot/c.ts';\nexport const z: y = x;\n",
		'src/net/core/b.ts': VALUE,
		'src/boot/c.ts': VALUE,
	});
	expect(found).toEqual([]);
});

it.each([
	[
		'a value from above',
		'src/net/core/a.ts',
		"import { x } from '../ipv4/b.ts';\nexport const z = x;\n",
		'room-net-core',
	],
	['a value re-exported from above', 'src/net/core/a.ts', "export { x } from '../ipv4/b.ts';\n", 'room-net-core'],
	[
		'a value beside a type',
		'src/kernel/a.ts',
		"import { x, type y } from '../net/ipv4/b.ts';\nexport const z: y = x;\n",
		'room-kernel',
	],
	['a dynamic import', 'src/lib/a.ts', "export const z = () => import('../net/ipv4/b.ts');\n", 'room-lib'],
	[
		'a program that looks into the kernel, be it for a type',
		'src/user/a.ts',
		"import type { y } from '../net/ipv4/b.ts';\nexport const z: y = 1;\n",
		'room-user',
	],
	[
		'a type from above in uapi',
		'src/uapi/a.ts',
		"import type { y } from '../net/ipv4/b.ts';\nexport const z: y = 1;\n",
		'room-uapi',
	],
])('finds %s', (_, path, text, rule) => {
	expect(layers({ [path]: text, 'src/net/ipv4/b.ts': VALUE })).toEqual([`${rule}: ${path} imports src/net/ipv4/b.ts`]);
});

it('finds Node and packages below lab, and Node outside of cli', () => {
	const found = layers({
		'src/net/core/a.ts': "import { readFileSync } from 'node:fs';\nexport const z = readFileSync;\n",
		'src/lab/b.ts': "import { join } from 'node:path';\nexport const z = join;\n",
		'src/lib/c.ts': "import yaml from 'yaml';\nexport const z = yaml;\n",
		'src/cli/d.ts': "import { join } from 'node:path';\nexport const z = join;\n",
	});
	expect(found.sort()).toEqual([
		'no-packages-below-lab: src/lib/c.ts imports yaml',
		'no-packages-below-lab: src/net/core/a.ts imports fs',
		'node-only-in-cli: src/lab/b.ts imports path',
		'node-only-in-cli: src/net/core/a.ts imports fs',
		'not-resolvable: src/lib/c.ts imports yaml',
	]);
});

it('finds Node in sockets, but for types, and anything of it in what linnet/streams is made of', () => {
	const found = layers({
		'src/sockets/net.ts': "import { Socket } from 'node:net';\nexport const z = Socket;\n",
		'src/sockets/dgram.ts': "import type { Socket } from 'node:dgram';\nexport type z = Socket;\n",
		'src/sockets/platform.ts': "import { Duplex } from 'node:stream';\nexport const z = Duplex;\n",
		'src/sockets/loop.ts': "import type { Duplex } from 'node:stream';\nexport type z = Duplex;\n",
		'src/sockets/streams.ts': "import { z } from './platform.ts';\nexport const y = z;\n",
	});
	expect(found.sort()).toEqual([
		'sockets-platform: src/sockets/net.ts imports net',
		'streams-know-no-node: src/sockets/loop.ts imports stream',
		'streams-know-no-node: src/sockets/streams.ts imports src/sockets/platform.ts',
	]);
});

it('finds tests in src, a folder that is no room, and an import that leads nowhere', () => {
	const found = layers({
		'src/lab/a.ts': "import { x } from '../../test/b.ts';\nexport const z = x;\n",
		'src/trace/c.ts': "import { x } from '../attic/d.ts';\nexport const z = x;\n",
		'src/attic/d.ts': VALUE,
		'src/cli/e.ts': "import { x } from './gone.ts';\nexport const z = x;\n",
		'test/b.ts': VALUE,
	});
	expect(found.sort()).toEqual([
		'no-room: src/trace/c.ts imports src/attic/d.ts',
		'not-resolvable: src/cli/e.ts imports ./gone.ts',
		'room-trace: src/trace/c.ts imports src/attic/d.ts',
		'src-knows-no-tests: src/lab/a.ts imports test/b.ts',
	]);
});
