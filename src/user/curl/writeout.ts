/*
 * user/curl/writeout.ts: what `curl -w` prints about a transfer.                                                    Original: curl(1) 7.88.1
 */

/** All about one URL. Times are ns of the monotonic clock, 0 where that was not reached. */
export interface Report {
	url: string;
	url_effective: string;
	filename: string;
	method: string;
	http_code: number;
	http_version: string;
	content_type: string;
	redirect_url: string;
	remote_ip: string;
	remote_port: number;
	local_ip: string;
	local_port: number;
	size_download: number;
	size_upload: number;
	size_header: number;
	size_request: number;
	num_connects: number;
	num_redirects: number;
	num_headers: number;
	expected: number;
	start: number;
	namelookup: number;
	connect: number;
	pretransfer: number;
	starttransfer: number;
	redirect: number;
	total: number;
	exitcode: number;
	errormsg: string;
}

/** Fills in a format. */
export function write_out(format: string, r: Report): { stdout: string; stderr: string } {
	const time = (t: number): string => (t === 0 ? 0 : (t - r.start) / 1e9).toFixed(6);
	const secs = (r.total - r.start) / 1e9;
	const per = (n: number): string => String(secs > 0 ? Math.floor(n / secs) : 0);
	const values: Record<string, () => string> = {
		http_code: () => String(r.http_code).padStart(3, '0'),
		response_code: () => String(r.http_code).padStart(3, '0'),
		http_connect: () => '000',
		http_version: () => r.http_version,
		content_type: () => r.content_type,
		redirect_url: () => r.redirect_url,
		url: () => r.url,
		url_effective: () => r.url_effective,
		filename_effective: () => r.filename,
		method: () => r.method,
		scheme: () => 'HTTP',
		remote_ip: () => r.remote_ip,
		remote_port: () => String(r.remote_port),
		local_ip: () => r.local_ip,
		local_port: () => String(r.local_port),
		size_download: () => String(r.size_download),
		size_upload: () => String(r.size_upload),
		size_header: () => String(r.size_header),
		size_request: () => String(r.size_request),
		speed_download: () => per(r.size_download),
		speed_upload: () => per(r.size_upload),
		num_connects: () => String(r.num_connects),
		num_redirects: () => String(r.num_redirects),
		num_headers: () => String(r.num_headers),
		time_namelookup: () => time(r.namelookup),
		time_connect: () => time(r.connect),
		time_appconnect: () => '0.000000',
		time_pretransfer: () => time(r.pretransfer),
		time_starttransfer: () => time(r.starttransfer),
		time_redirect: () => time(r.redirect),
		time_total: () => time(r.total),
		exitcode: () => String(r.exitcode),
		errormsg: () => r.errormsg,
		ssl_verify_result: () => '0',
		urlnum: () => '0',
	};
	const out = { stdout: '', stderr: '' };
	let to: 'stdout' | 'stderr' = 'stdout';
	for (let i = 0; i < format.length; ) {
		const c = format[i];
		if (c === '\\' && i + 1 < format.length) {
			const e = format[i + 1];
			out[to] += e === 'n' ? '\n' : e === 't' ? '\t' : e === 'r' ? '\r' : `\\${e}`;
			i += 2;
		} else if (c === '%' && format[i + 1] === '%') {
			out[to] += '%';
			i += 2;
		} else if (c === '%' && format[i + 1] === '{') {
			const end = format.indexOf('}', i);
			if (end < 0) {
				out[to] += '%{';
				i += 2;
				continue;
			}
			const name = format.slice(i + 2, end);
			if (name === 'stderr' || name === 'stdout') to = name;
			else if (name === 'onerror') {
				if (r.exitcode === 0) break;
			} else if (Object.hasOwn(values, name)) out[to] += values[name]();
			else out.stderr += `curl: unknown --write-out variable: '${name}'\n`;
			i = end + 1;
		} else {
			out[to] += c;
			i++;
		}
	}
	return out;
}
