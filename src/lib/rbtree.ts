/*
 * lib/rbtree.ts: a red-black tree.                                 Linux: linux/rbtree.h, lib/rbtree.c
 *
 * As in Linux the user walks down and links the node himself (rb_link_node), then has the colours put right (rb_insert_color). The rules:
 * the root is black, a red node's children are black, each way down meets as many black nodes. Where those that compare equal may stand in
 * several shapes, the shape is that of the textbook's algorithm (Cormen et al., Introduction to Algorithms, 13), which is Linux's.
 */

export class rb_node<T> {
	value: T;
	parent: rb_node<T> | null = null;
	left: rb_node<T> | null = null;
	right: rb_node<T> | null = null;
	red = false;

	constructor(value: T) {
		this.value = value;
	}
}

export class rb_root<T> {
	rb_node: rb_node<T> | null = null;
}

/** Puts `child` where `old` hangs at its parent. */
function replace_child<T>(root: rb_root<T>, old: rb_node<T>, child: rb_node<T> | null): void {
	const parent = old.parent;
	if (parent === null) root.rb_node = child;
	else if (parent.left === old) parent.left = child;
	else parent.right = child;
	if (child !== null) child.parent = parent;
}

function rotate_left<T>(root: rb_root<T>, x: rb_node<T>): void {
	const y = x.right!;
	x.right = y.left;
	if (y.left !== null) y.left.parent = x;
	replace_child(root, x, y);
	y.left = x;
	x.parent = y;
}

function rotate_right<T>(root: rb_root<T>, x: rb_node<T>): void {
	const y = x.left!;
	x.left = y.right;
	if (y.right !== null) y.right.parent = x;
	replace_child(root, x, y);
	y.right = x;
	x.parent = y;
}

/** Hangs `node` below `parent` (null: as the root). rb_insert_color must follow. */
export function rb_link_node<T>(root: rb_root<T>, node: rb_node<T>, parent: rb_node<T> | null, left: boolean): void {
	node.parent = parent;
	node.left = null;
	node.right = null;
	node.red = true;
	if (parent === null) root.rb_node = node;
	else if (left) parent.left = node;
	else parent.right = node;
}

/** Puts the colours right after rb_link_node. */
export function rb_insert_color<T>(root: rb_root<T>, node: rb_node<T>): void {
	let parent = node.parent;
	while (parent?.red) {
		const grand: rb_node<T> = parent.parent!;
		const left: boolean = parent === grand.left;
		const uncle: rb_node<T> | null = left ? grand.right : grand.left;
		if (uncle?.red) {
			parent.red = false;
			uncle.red = false;
			grand.red = true;
			node = grand;
			parent = node.parent;
			continue;
		}
		if (node === (left ? parent.right : parent.left)) {
			if (left) rotate_left(root, parent);
			else rotate_right(root, parent);
			node = parent;
			parent = node.parent!;
		}
		parent.red = false;
		grand.red = true;
		if (left) rotate_right(root, grand);
		else rotate_left(root, grand);
		break;
	}
	root.rb_node!.red = false;
}

/** Takes `node` out. */
export function rb_erase<T>(root: rb_root<T>, node: rb_node<T>): void {
	// What leaves its place (node or its successor), what moves there, and below whom.
	let black: boolean;
	let moved: rb_node<T> | null;
	let parent: rb_node<T> | null;
	if (node.left === null || node.right === null) {
		moved = node.left === null ? node.right : node.left;
		parent = node.parent;
		black = !node.red;
		replace_child(root, node, moved);
	} else {
		let next = node.right;
		while (next.left !== null) next = next.left;
		moved = next.right;
		black = !next.red;
		if (next.parent === node) parent = next;
		else {
			parent = next.parent;
			replace_child(root, next, moved);
			next.right = node.right;
			next.right.parent = next;
		}
		replace_child(root, node, next);
		next.left = node.left;
		next.left.parent = next;
		next.red = node.red;
	}
	node.parent = null;
	node.left = null;
	node.right = null;
	if (black) erase_color(root, moved, parent);
}

/** The ways through `node` (below `parent`) have a black node too few. */
function erase_color<T>(root: rb_root<T>, node: rb_node<T> | null, parent: rb_node<T> | null): void {
	while (parent !== null && (node === null || !node.red)) {
		const left: boolean = node === parent.left;
		let sibling: rb_node<T> = left ? parent.right! : parent.left!;
		if (sibling.red) {
			sibling.red = false;
			parent.red = true;
			if (left) rotate_left(root, parent);
			else rotate_right(root, parent);
			sibling = left ? parent.right! : parent.left!;
		}
		let near: rb_node<T> | null = left ? sibling.left : sibling.right;
		let far: rb_node<T> | null = left ? sibling.right : sibling.left;
		if ((near === null || !near.red) && (far === null || !far.red)) {
			sibling.red = true;
			node = parent;
			parent = node.parent;
			continue;
		}
		if (far === null || !far.red) {
			near!.red = false;
			sibling.red = true;
			if (left) rotate_right(root, sibling);
			else rotate_left(root, sibling);
			far = sibling;
			sibling = near!;
			near = null;
		}
		sibling.red = parent.red;
		parent.red = false;
		far.red = false;
		if (left) rotate_left(root, parent);
		else rotate_right(root, parent);
		node = root.rb_node;
		break;
	}
	if (node !== null) node.red = false;
}
