/*
 * kernel/notifier.ts: who wants to be told of an event.            Linux: kernel/notifier.c, linux/notifier.h
 */

export const NOTIFY_DONE = 0x0000;
export const NOTIFY_OK = 0x0001;
export const NOTIFY_STOP_MASK = 0x8000;
export const NOTIFY_BAD = NOTIFY_STOP_MASK | 0x0002;
export const NOTIFY_STOP = NOTIFY_OK | NOTIFY_STOP_MASK;

/** One listener. `notifier_call` is a module-level function. */
export interface notifier_block<T> {
	notifier_call: (nb: notifier_block<T>, event: number, ptr: T) => number;
	/** Higher is told first. */
	priority: number;
	/** The function's name, for people. */
	name: string;
}

/** Listeners in the order they are told. The array is replaced, never changed, so a listener may leave while it is told. */
export class notifier_head<T> {
	blocks: readonly notifier_block<T>[] = [];
}

/** Adds a listener behind those of the same priority. */
export function notifier_chain_register<T>(head: notifier_head<T>, nb: notifier_block<T>): number {
	const blocks = head.blocks.slice();
	let at = blocks.length;
	while (at > 0 && blocks[at - 1].priority < nb.priority) at--;
	blocks.splice(at, 0, nb);
	head.blocks = blocks;
	return 0;
}

export function notifier_chain_unregister<T>(head: notifier_head<T>, nb: notifier_block<T>): void {
	head.blocks = head.blocks.filter((b) => b !== nb);
}

/** Tells everybody until one says stop. Return: the last answer. */
export function notifier_call_chain<T>(head: notifier_head<T>, event: number, ptr: T): number {
	let ret = NOTIFY_DONE;
	for (const nb of head.blocks) {
		ret = nb.notifier_call(nb, event, ptr);
		if (ret & NOTIFY_STOP_MASK) break;
	}
	return ret;
}

/** A notifier's answer for -errno: it stops the chain. */
export function notifier_from_errno(err: number): number {
	return err !== 0 ? NOTIFY_STOP_MASK | (NOTIFY_OK - err) : NOTIFY_OK;
}

/** The -errno in a notifier's answer, or 0. */
export function notifier_to_errno(ret: number): number {
	ret &= ~NOTIFY_STOP_MASK;
	return ret > NOTIFY_OK ? NOTIFY_OK - ret : 0;
}
