/*
 * user/curl/options.ts: what `curl` is told.                                                                        Original: curl(1) 7.88.1
 */

export interface Options {
	urls: string[];
	/** By place of the URL; null: standard output, '' as the URL says. */
	outputs: (string | null)[];
	silent: boolean;
	show_error: boolean;
	verbose: boolean;
	include: boolean;
	head: boolean;
	fail: boolean;
	location: boolean;
	get: boolean;
	http10: boolean;
	method: string;
	/** Pieces of -d, in order; `file`: it is a file's name. */
	data: { text: string; file: boolean; binary: boolean; encode: boolean }[];
	headers: string[];
	agent: string;
	referer: string;
	user: string;
	range: string;
	upload: string;
	cookie: string;
	dump: string;
	write_out: string;
	resolve: string[];
	/** Seconds; 0: none. */
	max_time: number;
	connect_timeout: number;
	max_redirs: number;
	retry: number;
	retry_delay: number;
}

/** Short and long names. Those with `:` take a value. */
const NAMES: readonly [string, string][] = [
	['s', 'silent'],
	['S', 'show-error'],
	['v', 'verbose'],
	['i', 'include'],
	['I', 'head'],
	['f', 'fail'],
	['L', 'location'],
	['G', 'get'],
	['0', 'http1.0'],
	['', 'http1.1'],
	['N', 'no-buffer'],
	['O', 'remote-name'],
	['V', 'version'],
	['4', 'ipv4'],
	['q', 'disable'],
	['#', 'progress-bar'],
	['g', 'globoff'],
	['', 'no-progress-meter'],
	['o:', 'output'],
	['X:', 'request'],
	['d:', 'data'],
	[':', 'data-ascii'],
	[':', 'data-raw'],
	[':', 'data-binary'],
	[':', 'data-urlencode'],
	['H:', 'header'],
	['A:', 'user-agent'],
	['e:', 'referer'],
	['u:', 'user'],
	['r:', 'range'],
	['T:', 'upload-file'],
	['b:', 'cookie'],
	['D:', 'dump-header'],
	['w:', 'write-out'],
	['m:', 'max-time'],
	[':', 'connect-timeout'],
	[':', 'resolve'],
	[':', 'max-redirs'],
	[':', 'retry'],
	[':', 'retry-delay'],
	[':', 'url'],
];

/** What the original has and this has not. */
const REFUSED =
	/^(-[6acCEFhjJkKlMnpPQRtUxyYzZ2]|--(ipv6|append|cookie-jar|continue-at|cert|form|form-string|help|junk-session-cookies|remote-header-name|insecure|config|list-only|manual|netrc|proxytunnel|ftp-port|quote|remote-time|telnet-option|proxy-user|proxy|speed-time|speed-limit|time-cond|parallel|http2|http3|cacert|compressed|limit-rate|interface|local-port|digest|ntlm|negotiate|socks5|socks4|unix-socket|form|json|tlsv1.\d|remote-name-all|output-dir|create-dirs|path-as-is|trace|trace-ascii|tcp-fastopen|keepalive-time|no-keepalive|connect-to|dns-servers|doh-url|fail-with-body|fail-early|next|location-trusted|post30[123]|haproxy-protocol|happy-eyeballs-timeout-ms|proto|etag-save|etag-compare|retry-connrefused|retry-all-errors|retry-max-time|expect100-timeout|raw|stderr|styled-output))$/;

const TRY = "curl: try 'curl --help' or 'curl --manual' for more information\n";

/** The command line. */
export function parse(argv: readonly string[]): Options | { text: string; status: number } {
	const o: Options = {
		urls: [],
		outputs: [],
		silent: false,
		show_error: false,
		verbose: false,
		include: false,
		head: false,
		fail: false,
		location: false,
		get: false,
		http10: false,
		method: '',
		data: [],
		headers: [],
		agent: 'curl/7.88.1',
		referer: '',
		user: '',
		range: '',
		upload: '',
		cookie: '',
		dump: '',
		write_out: '',
		resolve: [],
		max_time: 0,
		connect_timeout: 0,
		max_redirs: 50,
		retry: 0,
		retry_delay: 0,
	};
	if (argv.length === 1) return { text: TRY, status: 2 };
	const words: [string, string, string][] = [];
	let i = 1;
	let only_urls = false;
	while (i < argv.length) {
		const a = argv[i++];
		if (only_urls || a === '-' || !a.startsWith('-')) {
			words.push(['url', a, a]);
			continue;
		}
		if (a === '--') {
			only_urls = true;
			continue;
		}
		const refused = (word: string) => ({ text: `curl: option ${word} is not supported by linnet\n`, status: 2 });
		const unknown = (word: string) => ({ text: `curl: option ${word}: is unknown\n${TRY}`, status: 2 });
		if (a.startsWith('--')) {
			if (REFUSED.test(a)) return refused(a);
			const known = NAMES.find(([, long]) => long === a.slice(2));
			if (known === undefined) return unknown(a);
			const valued = known[0].endsWith(':');
			if (valued && i >= argv.length) return { text: `curl: option ${a}: requires parameter\n${TRY}`, status: 2 };
			words.push([known[1], valued ? argv[i++] : '', a]);
			continue;
		}
		for (let k = 1; k < a.length; k++) {
			const known = NAMES.find(([short]) => short[0] === a[k] && a[k] !== ':');
			if (known === undefined) return REFUSED.test(`-${a[k]}`) ? refused(`-${a[k]}`) : unknown(a);
			if (!known[0].endsWith(':')) {
				words.push([known[1], '', a]);
				continue;
			}
			let value = a.slice(k + 1);
			if (value === '') {
				if (i >= argv.length) return { text: `curl: option ${a}: requires parameter\n${TRY}`, status: 2 };
				value = argv[i++];
			}
			words.push([known[1], value, a]);
			break;
		}
	}
	const outputs: string[] = [];
	for (const [name, value, word] of words) {
		const number = (): number => (/^\d+(\.\d+)?$/.test(value) ? Number(value) : NaN);
		let n = 0;
		if (['max-time', 'connect-timeout', 'max-redirs', 'retry', 'retry-delay'].includes(name)) {
			n = name === 'max-redirs' && value === '-1' ? Infinity : number();
			if (Number.isNaN(n))
				return { text: `curl: option ${word}: expected a proper numerical parameter\n${TRY}`, status: 2 };
		}
		switch (name) {
			case 'url':
				o.urls.push(value);
				break;
			case 'silent':
				o.silent = true;
				break;
			case 'show-error':
				o.show_error = true;
				break;
			case 'verbose':
				o.verbose = true;
				break;
			case 'include':
				o.include = true;
				break;
			case 'head':
				o.head = true;
				break;
			case 'fail':
				o.fail = true;
				break;
			case 'location':
				o.location = true;
				break;
			case 'get':
				o.get = true;
				break;
			case 'http1.0':
				o.http10 = true;
				break;
			case 'http1.1':
				o.http10 = false;
				break;
			case 'version':
				return {
					text: 'curl 7.88.1 (linnet) libcurl/7.88.1\nRelease-Date: 2023-02-20\nProtocols: http \nFeatures: \n',
					status: 0,
				};
			case 'no-progress-meter':
			case 'progress-bar':
				if (name === 'progress-bar') return { text: `curl: option ${word} is not supported by linnet\n`, status: 2 };
				o.silent = true;
				o.show_error = true;
				break;
			case 'remote-name':
				outputs.push('');
				break;
			case 'output':
				outputs.push(value);
				break;
			case 'request':
				o.method = value;
				break;
			case 'data':
			case 'data-ascii':
				o.data.push({ text: value.replace(/^@/, ''), file: value.startsWith('@'), binary: false, encode: false });
				break;
			case 'data-raw':
				o.data.push({ text: value, file: false, binary: true, encode: false });
				break;
			case 'data-binary':
				o.data.push({ text: value.replace(/^@/, ''), file: value.startsWith('@'), binary: true, encode: false });
				break;
			case 'data-urlencode':
				o.data.push({ text: value, file: false, binary: true, encode: true });
				break;
			case 'header':
				o.headers.push(value);
				break;
			case 'user-agent':
				o.agent = value;
				break;
			case 'referer':
				o.referer = value;
				break;
			case 'user':
				o.user = value;
				break;
			case 'range':
				o.range = value;
				break;
			case 'upload-file':
				o.upload = value;
				break;
			case 'cookie':
				if (!value.includes('='))
					return { text: `curl: option ${word}: files of cookies are not supported by linnet\n`, status: 2 };
				o.cookie = o.cookie === '' ? value : `${o.cookie};${value}`;
				break;
			case 'dump-header':
				o.dump = value;
				break;
			case 'write-out':
				o.write_out = value;
				break;
			case 'max-time':
				o.max_time = n;
				break;
			case 'connect-timeout':
				o.connect_timeout = n;
				break;
			case 'max-redirs':
				o.max_redirs = n;
				break;
			case 'retry':
				o.retry = n;
				break;
			case 'retry-delay':
				o.retry_delay = n;
				break;
			case 'resolve':
				o.resolve.push(value);
				break;
		}
	}
	if (o.urls.length === 0) return { text: `curl: no URL specified!\n${TRY}`, status: 2 };
	o.outputs = o.urls.map((_, k) => outputs[k] ?? null);
	return o;
}
