/*
 * lab/import/conntrack.ts: takes over live connections from `conntrack -L -o extended` (or /proc/net/nf_conntrack).
 */
import { nf_ct_netns_get } from '../../net/netfilter/nf_conntrack_proto.ts';
import { NFPROTO_IPV4 } from '../../uapi/linux/netfilter.ts';
import type { ImportedHost } from './import.ts';
import { ImportError } from './snapshot.ts';

interface Tuple {
	src: string;
	dst: string;
	sport?: string;
	dport?: string;
	type?: string;
	code?: string;
	id?: string;
}

/** One entry as a `conntrack -I` command; null for a protocol that cannot be made that way. Throws ImportError. */
export function conntrackArgs(file: string, lineNo: number, line: string): string[] | null {
	const words = line.trim().split(/\s+/);
	if (words[0] === 'ipv4') words.splice(0, 2);
	else if (words[0] === 'ipv6') return null;
	const proto = words[0];
	if (!/^\d+$/.test(words[1] ?? ''))
		throw new ImportError(
			file,
			lineNo,
			`'${line.slice(0, 60)}' is no entry as 'conntrack -L' prints it: expected 'tcp 6 …'`,
		);
	const timeout = /^\d+$/.test(words[2] ?? '') ? words[2] : '60';
	const state = /^[A-Z_0-9]+$/.test(words[3] ?? '') ? words[3] : null;
	const tuples: Tuple[] = [];
	let mark = '0';
	for (const w of words) {
		const m = /^(\w+)=(.*)$/.exec(w);
		if (m === null) continue;
		if (m[1] === 'src') tuples.push({ src: m[2], dst: '' });
		else if (m[1] === 'mark') mark = m[2];
		else if (tuples.length > 0 && ['dst', 'sport', 'dport', 'type', 'code', 'id'].includes(m[1]))
			(tuples[tuples.length - 1] as unknown as Record<string, string>)[m[1]] = m[2];
	}
	if (tuples.length !== 2 || tuples.some((t) => t.dst === ''))
		throw new ImportError(file, lineNo, `'${line.slice(0, 60)}' lacks src= and dst= of both directions`);
	const [orig, reply] = tuples;
	if (!['tcp', 'udp', 'icmp', 'udplite', 'sctp', 'dccp'].includes(proto)) return null;
	const args = ['conntrack', '-I', '-p', proto, '-s', orig.src, '-d', orig.dst, '-t', timeout];
	// A reply that is not the original turned round was translated: the kernel is told so, and makes the reply's tuple itself.
	if (proto === 'icmp') {
		args.push('--icmp-type', orig.type ?? '8', '--icmp-code', orig.code ?? '0', '--icmp-id', orig.id ?? '0');
		if (reply.dst !== orig.src || reply.id !== orig.id) args.push('-n', `${reply.dst}:${reply.id ?? '0'}`);
		if (reply.src !== orig.dst) args.push('-g', reply.src);
	} else {
		args.push('--sport', orig.sport ?? '0', '--dport', orig.dport ?? '0');
		if (reply.dst !== orig.src || reply.dport !== orig.sport) args.push('-n', `${reply.dst}:${reply.dport ?? '0'}`);
		if (reply.src !== orig.dst || reply.sport !== orig.dport) args.push('-g', `${reply.src}:${reply.sport ?? '0'}`);
	}
	if (proto === 'tcp') args.push('--state', state ?? 'ESTABLISHED');
	const status: string[] = [];
	if (!line.includes('[UNREPLIED]')) status.push('SEEN_REPLY');
	if (line.includes('[ASSURED]')) status.push('ASSURED');
	if (status.length > 0) args.push('-u', status.join(','));
	if (mark !== '0') args.push('-m', mark);
	return args;
}

/** Makes every entry of the snapshot. */
export async function importConntrack(imp: ImportedHost): Promise<void> {
	const ct = imp.snapshot.conntrack;
	if (ct === null) return;
	// Entries are there because something had them tracked: without its rules here, this does.
	nf_ct_netns_get(imp.host.machine.init_net, NFPROTO_IPV4);
	let left = 0;
	for (let i = 0; i < ct.lines.length; i++) {
		const line = ct.lines[i];
		if (line.trim() === '' || line.startsWith('conntrack v')) continue;
		const args = conntrackArgs(ct.file, i + 1, line);
		if (args === null) {
			left++;
			continue;
		}
		const r = await imp.host.exec(args);
		if (r.exitCode !== 0)
			imp.notes.push({
				kind: 'left out',
				where: `${ct.file}:${i + 1}`,
				text: `${line.trim().slice(0, 80)}: ${r.stderr.trim().split('\n')[0]}`,
			});
	}
	if (left > 0)
		imp.notes.push({
			kind: 'left out',
			where: ct.file,
			text: `${left} entries of protocols that linnet does not track yet`,
		});
}
