/*
 * lab/import/error.ts: what is wrong with an imported file: which, where, what came and what was expected.
 */

export class ImportError extends Error {
	constructor(file: string, line: number | null, what: string) {
		super(`${file}${line === null ? '' : `:${line}`}: ${what}`);
		this.name = 'ImportError';
	}
}
