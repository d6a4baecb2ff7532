/*
 * user/iproute2/json_print.ts: one call prints for people or, with -j, for programs.   Original: lib/json_print.c, json_writer.c
 * A key of null says "for people only", a text of null "for programs only".
 */

export type JsonValue = string | number | boolean | null | bigint;

/** Colours as -c asks for. */
export const COLOR_NONE = -1;
export const COLOR_IFNAME = 0;
export const COLOR_MAC = 1;
export const COLOR_INET = 2;
export const COLOR_INET6 = 3;
export const COLOR_OPERSTATE_UP = 4;
export const COLOR_OPERSTATE_DOWN = 5;

const LIGHT = ['36', '33', '35', '34', '32', '31'];
const DARK = ['1;36', '1;33', '1;35', '1;34', '1;32', '1;31'];

function quote(s: string): string {
	let out = '"';
	for (const c of s) {
		if (c === '\t') out += '\\t';
		else if (c === '\n') out += '\\n';
		else if (c === '\r') out += '\\r';
		else if (c === '\f') out += '\\f';
		else if (c === '\b') out += '\\b';
		else if (c === '\\') out += '\\\\';
		else if (c === '"') out += '\\"';
		else out += c;
	}
	return out + '"';
}

/** As printf's %g. */
function float_text(v: number): string {
	const [digits, exp] = v.toExponential(5).split('e');
	const e = Number(exp);
	if (e >= -4 && e < 6) return String(Number(v.toPrecision(6)));
	return `${Number(digits)}e${e < 0 ? '-' : '+'}${String(Math.abs(e)).padStart(2, '0')}`;
}

export class Printer {
	json = false;
	pretty = false;
	/** -c: escape codes around names and addresses. */
	color = false;
	dark = false;
	text = '';
	private depth = 0;
	private sep = '';

	// ---- for programs, as jsonw_* ----

	private eol(): void {
		if (this.pretty) this.text += '\n' + '    '.repeat(this.depth);
	}

	private eor(): void {
		if (this.sep !== '') this.text += this.sep;
		this.sep = ',';
	}

	private begin(c: string): void {
		this.eor();
		this.text += c;
		this.depth++;
		this.sep = '';
	}

	private end(c: string): void {
		this.depth--;
		if (this.sep !== '') this.eol();
		this.sep = ',';
		this.text += c;
	}

	private name(key: string): void {
		this.eor();
		this.eol();
		this.sep = '';
		this.text += `"${key}":`;
		if (this.pretty) this.text += ' ';
	}

	private value(v: JsonValue): void {
		this.eor();
		if (typeof v === 'number' && !Number.isInteger(v)) this.text += float_text(v);
		else this.text += typeof v === 'string' ? quote(v) : String(v);
	}

	private field(key: string | null, v: JsonValue): void {
		if (key !== null) this.name(key);
		this.value(v);
	}

	start_array(): void {
		this.begin('[');
		if (this.pretty) this.text += ' ';
	}

	end_array(): void {
		if (this.pretty && this.sep !== '') this.text += ' ';
		this.sep = '';
		this.end(']');
	}

	start_object(): void {
		this.begin('{');
	}

	end_object(): void {
		this.end('}');
	}

	// ---- for both ----

	/** Begins the list that everything else stands in. */
	new_json_obj(json: boolean): void {
		if (!json) return;
		this.json = true;
		this.start_array();
	}

	delete_json_obj(): void {
		if (!this.json) return;
		this.end_array();
		this.text += '\n';
		this.depth = 0;
		this.sep = '';
		this.json = false;
	}

	open_json_object(key: string | null): void {
		if (!this.json) return;
		if (key !== null) this.name(key);
		this.start_object();
	}

	close_json_object(): void {
		if (this.json) this.end_object();
	}

	open_json_array(key: string, text: string | null): void {
		if (this.json) {
			this.name(key);
			this.start_array();
		} else if (text !== null) this.text += text;
	}

	close_json_array(text: string | null): void {
		if (this.json) this.end_array();
		else if (text !== null) this.text += text;
	}

	/** PRINT_ANY. `key` in JSON (null: a bare value of an array). */
	any(key: string | null, v: JsonValue, text: string): void {
		if (this.json) this.field(key, v);
		else this.text += text;
	}

	/** PRINT_FP. */
	fp(text: string): void {
		if (!this.json) this.text += text;
	}

	/** PRINT_JSON. */
	js(key: string | null, v: JsonValue): void {
		if (this.json) this.field(key, v);
	}

	/** PRINT_ANY with a colour around the text and what follows it. */
	colored(color: number, key: string | null, v: JsonValue, before: string, text: string, after: string): void {
		if (this.json) this.field(key, v);
		else this.text += before + this.paint(color, text + after);
	}

	/** `true` in JSON; the text for people. */
	null(key: string, text: string): void {
		if (this.json) this.field(key, null);
		else this.text += text;
	}

	paint(color: number, text: string): string {
		if (!this.color || color === COLOR_NONE) return text;
		return `\x1b[${(this.dark ? DARK : LIGHT)[color]}m${text}\x1b[0m`;
	}

	/** What was printed since the last call. */
	take(): string {
		const t = this.text;
		this.text = '';
		return t;
	}
}
