import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rb_erase, rb_insert_color, rb_link_node, rb_node, rb_root } from '../../src/lib/rbtree.ts';

function insert(root: rb_root<number>, value: number): rb_node<number> {
	const node = new rb_node(value);
	let parent: rb_node<number> | null = null;
	let at = root.rb_node;
	let left = false;
	while (at !== null) {
		parent = at;
		left = value < at.value;
		at = left ? at.left : at.right;
	}
	rb_link_node(root, node, parent, left);
	rb_insert_color(root, node);
	return node;
}

/** Values in order; throws when a rule is broken. Return: black height. */
function check(node: rb_node<number> | null, parent: rb_node<number> | null, out: number[]): number {
	if (node === null) return 1;
	if (node.parent !== parent) throw new Error('parent');
	if (node.red && (parent === null || parent.red)) throw new Error('red');
	const l = check(node.left, node, out);
	out.push(node.value);
	const r = check(node.right, node, out);
	if (l !== r) throw new Error('black height');
	return l + (node.red ? 0 : 1);
}

test('any order of insertions and removals keeps the order and the rules', () => {
	fc.assert(
		fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(60)), { maxLength: 200 }), (ops) => {
			const root = new rb_root<number>();
			const nodes: rb_node<number>[] = [];
			for (const [add, n] of ops) {
				if (add || nodes.length === 0) nodes.push(insert(root, n));
				else rb_erase(root, nodes.splice(n % nodes.length, 1)[0]);
				const out: number[] = [];
				check(root.rb_node, null, out);
				expect(out).toEqual(nodes.map((x) => x.value).sort((a, b) => a - b));
			}
		}),
	);
});

test('the shape is the textbook one: what was first is at the top until a rotation', () => {
	const root = new rb_root<number>();
	insert(root, 2);
	insert(root, 537);
	expect(root.rb_node!.value).toBe(2);
	insert(root, 101);
	expect(root.rb_node!.value).toBe(101);
	expect(root.rb_node!.left!.value).toBe(2);
	expect(root.rb_node!.right!.value).toBe(537);
});
