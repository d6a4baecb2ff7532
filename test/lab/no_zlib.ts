/*
 * test/lab/no_zlib.ts: stands for node:zlib in a browser's bundle, where the shell's gzip has to do without.
 */
function missing(): never {
	throw new Error('there is no zlib in a browser');
}

export const gunzipSync = missing;
export const gzipSync = missing;
export const constants = {};
