/*
 * user/traceroute/clif.ts: traceroute's command line.              Original: Modern traceroute for Linux 2.1.2 with its libsupp
 * Not here, and refused by name: -6, -g, -e, -A, -D, -P, -UL.
 */

/** An option: its letter, long name, the argument's name; null when it takes none. */
interface clif_option {
	short: string;
	long: string;
	arg: string | null;
	number?: 'int' | 'float';
	missing?: boolean;
}

const OPTIONS: readonly clif_option[] = [
	{ short: '4', long: '', arg: null },
	{ short: '6', long: '', arg: null, missing: true },
	{ short: 'd', long: 'debug', arg: null },
	{ short: 'F', long: 'dont-fragment', arg: null },
	{ short: 'f', long: 'first', arg: 'first_ttl', number: 'int' },
	{ short: 'g', long: 'gateway', arg: 'gate,...', missing: true },
	{ short: 'I', long: 'icmp', arg: null },
	{ short: 'T', long: 'tcp', arg: null },
	{ short: 'i', long: 'interface', arg: 'device' },
	{ short: 'm', long: 'max-hops', arg: 'max_ttl', number: 'int' },
	{ short: 'N', long: 'sim-queries', arg: 'squeries', number: 'int' },
	{ short: 'n', long: '', arg: null },
	{ short: 'p', long: 'port', arg: 'port', number: 'int' },
	{ short: 't', long: 'tos', arg: 'tos', number: 'int' },
	{ short: 'l', long: 'flowlabel', arg: 'flow_label', number: 'int' },
	{ short: 'w', long: 'wait', arg: 'MAX,HERE,NEAR' },
	{ short: 'q', long: 'queries', arg: 'nqueries', number: 'int' },
	{ short: 'r', long: '', arg: null },
	{ short: 's', long: 'source', arg: 'src_addr' },
	{ short: 'z', long: 'sendwait', arg: 'sendwait', number: 'float' },
	{ short: 'e', long: 'extensions', arg: null, missing: true },
	{ short: 'A', long: 'as-path-lookups', arg: null, missing: true },
	{ short: 'M', long: 'module', arg: 'name' },
	{ short: 'O', long: 'options', arg: 'OPTS,...' },
	{ short: '', long: 'sport', arg: 'num', number: 'int' },
	{ short: '', long: 'fwmark', arg: 'num', number: 'int' },
	{ short: 'U', long: 'udp', arg: null },
	{ short: 'UL', long: '', arg: null, missing: true },
	{ short: 'D', long: 'dccp', arg: null, missing: true },
	{ short: 'P', long: 'protocol', arg: 'prot', missing: true },
	{ short: '', long: 'mtu', arg: null },
	{ short: '', long: 'back', arg: null },
	{ short: 'V', long: 'version', arg: null },
	{ short: '', long: 'help', arg: null },
];

/** An option read: its letter, or its long name. `argc`: index of the word its argument stands in. */
export interface clif_hit {
	name: string;
	/** As it was written, for messages. */
	shown: string;
	arg: string;
	value: number;
	argc: number;
}

export interface clif_word {
	text: string;
	argc: number;
}

/** Decimal, 0octal or 0xhex over the whole text, with a sign; null when it is none. */
export function clif_int(text: string): number | null {
	const m = /^\s*([-+]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/.exec(text);
	if (m === null) return null;
	const v = /^0[0-7]+$/.test(m[2]) ? parseInt(m[2], 8) : Number(m[2]);
	return m[1] === '-' ? -v : v;
}

export function clif_float(text: string): number | null {
	return /^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text) ? Number(text) : null;
}

/** Reads the words. Return: options in order and arguments, or what is wrong. */
export function clif_parse(argv: readonly string[]): { hits: clif_hit[]; words: clif_word[] } | { error: string } {
	const hits: clif_hit[] = [];
	const words: clif_word[] = [];
	const take = (o: clif_option, shown: string, arg: string, argc: number): string => {
		if (o.missing) return `traceroute: option ${shown} is not supported here`;
		let value = 0;
		if (o.number !== undefined) {
			const v = o.number === 'int' ? clif_int(arg) : clif_float(arg);
			if (v === null) return `Cannot handle \`${shown}' option with arg \`${arg}' (argc ${argc})`;
			value = v;
		}
		hits.push({ name: o.short !== '' ? o.short : o.long, shown, arg, value, argc });
		return '';
	};
	let only_words = false;
	for (let i = 1; i < argv.length; i++) {
		const word = argv[i];
		if (only_words || word[0] !== '-' || word === '-') {
			words.push({ text: word, argc: i });
			continue;
		}
		if (word === '--') {
			only_words = true;
			continue;
		}
		if (word.startsWith('--')) {
			const eq = word.indexOf('=');
			const name = eq < 0 ? word.slice(2) : word.slice(2, eq);
			const o = OPTIONS.find((x) => x.long !== '' && x.long === name);
			if (o === undefined || (eq >= 0 && o.arg === null)) {
				const given = eq < 0 ? '' : ` (with arg \`${word.slice(eq + 1)}')`;
				return { error: `Bad option \`${word}'${given} (argc ${i})` };
			}
			if (o.arg !== null && eq < 0)
				return { error: `Option \`--${name}' (argc ${i}) requires an argument: \`--${name}=${o.arg}'` };
			const err = take(o, `--${name}`, eq < 0 ? '' : word.slice(eq + 1), i);
			if (err !== '') return { error: err };
			continue;
		}
		const at = i;
		for (let k = 1; k < word.length; k++) {
			const o =
				OPTIONS.find((x) => x.short.length > 1 && k === 1 && word === `-${x.short}`) ??
				OPTIONS.find((x) => x.short === word[k]);
			if (o === undefined) return { error: `Bad option \`-${word[k]}' (argc ${at})` };
			const shown = `-${o.short}`;
			let arg = '';
			if (o.arg !== null) {
				const rest = word.slice(k + 1);
				// An argument in the same word belongs to a lone option only.
				if ((rest !== '' && k > 1) || (rest === '' && i + 1 >= argv.length))
					return { error: `Option \`${shown}' (argc ${at}) requires an argument: \`${shown} ${o.arg}'` };
				arg = rest !== '' ? rest : argv[++i];
			}
			const err = take(o, shown, arg, i);
			if (err !== '') return { error: err };
			if (o.arg !== null || o.short.length > 1) break;
		}
	}
	return { hits, words };
}

export const TRACEROUTE_USAGE = `Usage:
  traceroute [ -46dFITnreAUDV ] [ -f first_ttl ] [ -g gate,... ] [ -i device ] [ -m max_ttl ] [ -N squeries ] [ -p port ] [ -t tos ] [ -l flow_label ] [ -w MAX,HERE,NEAR ] [ -q nqueries ] [ -s src_addr ] [ -z sendwait ] [ --fwmark=num ] host [ packetlen ]
Options:
  -4                          Use IPv4
  -6                          Use IPv6
  -d  --debug                 Enable socket level debugging
  -F  --dont-fragment         Do not fragment packets
  -f first_ttl  --first=first_ttl
                              Start from the first_ttl hop (instead from 1)
  -g gate,...  --gateway=gate,...
                              Route packets through the specified gateway
                              (maximum 8 for IPv4 and 127 for IPv6)
  -I  --icmp                  Use ICMP ECHO for tracerouting
  -T  --tcp                   Use TCP SYN for tracerouting (default port is 80)
  -i device  --interface=device
                              Specify a network interface to operate with
  -m max_ttl  --max-hops=max_ttl
                              Set the max number of hops (max TTL to be
                              reached). Default is 30
  -N squeries  --sim-queries=squeries
                              Set the number of probes to be tried
                              simultaneously (default is 16)
  -n                          Do not resolve IP addresses to their domain names
  -p port  --port=port        Set the destination port to use. It is either
                              initial udp port value for "default" method
                              (incremented by each probe, default is 33434), or
                              initial seq for "icmp" (incremented as well,
                              default from 1), or some constant destination
                              port for other methods (with default of 80 for
                              "tcp", 53 for "udp", etc.)
  -t tos  --tos=tos           Set the TOS (IPv4 type of service) or TC (IPv6
                              traffic class) value for outgoing packets
  -l flow_label  --flowlabel=flow_label
                              Use specified flow_label for IPv6 packets
  -w MAX,HERE,NEAR  --wait=MAX,HERE,NEAR
                              Wait for a probe no more than HERE (default 3)
                              times longer than a response from the same hop,
                              or no more than NEAR (default 10) times than some
                              next hop, or MAX (default 5.0) seconds (float
                              point values allowed too)
  -q nqueries  --queries=nqueries
                              Set the number of probes per each hop. Default is
                              3
  -r                          Bypass the normal routing and send directly to a
                              host on an attached network
  -s src_addr  --source=src_addr
                              Use source src_addr for outgoing packets
  -z sendwait  --sendwait=sendwait
                              Minimal time interval between probes (default 0).
                              If the value is more than 10, then it specifies a
                              number in milliseconds, else it is a number of
                              seconds (float point values allowed too)
  -e  --extensions            Show ICMP extensions (if present), including MPLS
  -A  --as-path-lookups       Perform AS path lookups in routing registries and
                              print results directly after the corresponding
                              addresses
  -M name  --module=name      Use specified module (either builtin or external)
                              for traceroute operations. Most methods have
                              their shortcuts (\`-I' means \`-M icmp' etc.)
  -O OPTS,...  --options=OPTS,...
                              Use module-specific option OPTS for the
                              traceroute module. Several OPTS allowed,
                              separated by comma. If OPTS is "help", print info
                              about available options
  --sport=num                 Use source port num for outgoing packets. Implies
                              \`-N 1'
  --fwmark=num                Set firewall mark for outgoing packets
  -U  --udp                   Use UDP to particular port for tracerouting
                              (instead of increasing the port per each probe),
                              default port is 53
  -UL                         Use UDPLITE for tracerouting (default dest port
                              is 53)
  -D  --dccp                  Use DCCP Request for tracerouting (default port
                              is 33434)
  -P prot  --protocol=prot    Use raw packet of protocol prot for tracerouting
  --mtu                       Discover MTU along the path being traced. Implies
                              \`-F -N 1'
  --back                      Guess the number of hops in the backward path and
                              print if it differs
  -V  --version               Print version info and exit
  --help                      Read this help and exit

Arguments:
+     host          The host to traceroute to
      packetlen     The full packet length (default is the length of an IP
                    header plus 40). Can be ignored or increased to a minimal
                    allowed value
`;
