/*
 * user/iputils/icmp_describe.ts: what ICMP messages are called.    Original: iputils 20221126, ping/ping.c: pr_icmph
 */
import {
	ICMP_DEST_UNREACH,
	ICMP_PARAMETERPROB,
	ICMP_REDIRECT,
	ICMP_SOURCE_QUENCH,
	ICMP_TIME_EXCEEDED,
} from '../../uapi/linux/icmp.ts';

const UNREACHABLE = [
	'Destination Net Unreachable',
	'Destination Host Unreachable',
	'Destination Protocol Unreachable',
	'Destination Port Unreachable',
	'',
	'Source Route Failed',
	'Destination Net Unknown',
	'Destination Host Unknown',
	'Source Host Isolated',
	'Destination Net Prohibited',
	'Destination Host Prohibited',
	'Destination Net Unreachable for Type of Service',
	'Destination Host Unreachable for Type of Service',
	'Packet filtered',
	'Precedence Violation',
	'Precedence Cutoff',
];
const REDIRECTS = [
	'Redirect Network',
	'Redirect Host',
	'Redirect Type of Service and Network',
	'Redirect Type of Service and Host',
];

/** `info`: the second word of the ICMP header, or what the error queue has of it. */
export function icmp_describe(type: number, code: number, info: number): string {
	switch (type) {
		case ICMP_DEST_UNREACH:
			if (code === 4) return `Frag needed and DF set (mtu = ${info})`;
			return UNREACHABLE[code] ?? `Dest Unreachable, Bad Code: ${code}`;
		case ICMP_SOURCE_QUENCH:
			return 'Source Quench';
		case ICMP_REDIRECT:
			return REDIRECTS[code] ?? `Redirect, Bad Code: ${code}`;
		case ICMP_TIME_EXCEEDED:
			if (code === 0) return 'Time to live exceeded';
			return code === 1 ? 'Frag reassembly time exceeded' : `Time exceeded, Bad Code: ${code}`;
		case ICMP_PARAMETERPROB:
			return `Parameter problem: pointer = ${info}`;
		default:
			return `Bad ICMP type: ${type}`;
	}
}
