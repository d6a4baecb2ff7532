/*
 * lab/import/error.ts: what is wrong with an imported file: which, where, what came and what was expected.
 */

export class ImportError extends Error {
	private file: string;
	private line: number | null;
	private what: string;

	constructor(file: string, line: number | null, what: string) {
		super(`${file}${line === null ? '' : `:${line}`}: ${what}`);
		this.name = 'ImportError';
		this.file = file;
		this.line = line;
		this.what = what;
	}

	/** The same of the file as its user named it. */
	renamed(names: ReadonlyMap<string, string>): ImportError {
		const name = names.get(this.file);
		return name === undefined ? this : new ImportError(name, this.line, this.what);
	}
}
