/*
 * cli/paint.ts: colour only on a terminal, and never where NO_COLOR is set (picocolors knows both).
 */
import pc from 'picocolors';
import type { Palette } from '../trace/render.ts';

export function palette(stream: NodeJS.WriteStream = process.stdout): Palette {
	const c = pc.createColors(pc.isColorSupported && stream.isTTY === true);
	return { bold: c.bold, dim: c.dim, red: c.red, green: c.green, yellow: c.yellow, cyan: c.cyan };
}
