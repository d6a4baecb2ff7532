// Writes schema/linnet-test.schema.json, which editors read: node scripts/run.mjs scripts/test-schema.ts
import { writeFileSync } from 'node:fs';
import { REASONS, VERDICTS } from '../src/firewall/spec.ts';

const octet = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const list = (ref: string) => ({ anyOf: [{ $ref: ref }, { type: 'array', items: { $ref: ref }, minItems: 1 }] });
const keys = {
	name: { type: 'string', minLength: 1, description: 'What the row is called; unique in its document.' },
	in: {
		$ref: '#/$defs/device',
		description:
			"The device that the packet comes in by, or 'host': the host itself sends it. Of neither 'in' nor 'out' the packet's source decides.",
	},
	out: {
		anyOf: [{ $ref: '#/$defs/device' }, { const: true }],
		description:
			"The device that the packet leaves by. Without 'in' the host itself sends it; true: by whichever device.",
	},
	packet: {
		type: 'string',
		minLength: 1,
		description:
			"The packet: 'tcp 198.51.100.7:40000 203.0.113.5:443 flags S', scapy's notation, 'reply' (the answer to the packet of 'after', which is the default there) or 'again'.",
	},
	expect: {
		$ref: '#/$defs/verdict',
		description:
			'accept: it passes (forwarded, sent, or for the host itself, whether or not somebody listens). drop: a closed port is none, unless reason says NO_SOCKET.',
	},
	to: { ...list('#/$defs/endpoint'), description: 'Its destination after all translation; of several: one of them.' },
	src: { ...list('#/$defs/endpoint'), description: 'Its source after all translation.' },
	dst: { ...list('#/$defs/endpoint'), description: "Its destination after all translation, as 'to'." },
	masquerade: { type: 'boolean', description: 'Whether its source address was translated.' },
	reason: { $ref: '#/$defs/reason', description: "The kernel's drop reason." },
	rule: { $ref: '#/$defs/rule', description: 'The rule that decided: of what passed, any that matched.' },
	mark: {
		anyOf: [
			{ type: 'integer', minimum: 0, maximum: 4294967295 },
			{ type: 'string', pattern: '^(0[xX][0-9a-fA-F]{1,8}|\\d{1,10})(/(0[xX][0-9a-fA-F]{1,8}|\\d{1,10}))?$' },
		],
		description: "The packet's mark at the end: 0x1 or 0x1/0xf.",
	},
	after: { type: 'string', minLength: 1, description: 'Another row, whose packet comes first.' },
	at: { $ref: '#/$defs/span', description: 'Time that passes before: +5m.' },
};
const { name, after, ...defaults } = keys;
const ip = { type: 'string', pattern: `^(${octet}\\.){3}${octet}$` };
const port = { type: 'integer', minimum: 0, maximum: 65535 };
writeFileSync(
	'schema/linnet-test.schema.json',
	JSON.stringify(
		{
			$schema: 'http://json-schema.org/draft-07/schema#',
			$id: 'linnet-test.schema.json',
			title: 'Tests of a firewall for linnet test',
			type: 'object',
			additionalProperties: false,
			anyOf: [{ required: ['tests'] }, { required: ['flows'] }],
			properties: {
				host: {
					...list('#/$defs/path'),
					description:
						'What linnet capture-script collected: a folder, a tar, or loose files, from where this file stands.',
				},
				defaults: { $ref: '#/$defs/defaults' },
				tests: { type: 'array', items: { $ref: '#/$defs/row' } },
				flows: {
					type: 'array',
					items: { $ref: '#/$defs/flow' },
					description: "Rows as kube-proxy's own tests have them.",
				},
			},
			$defs: {
				path: { type: 'string', minLength: 1 },
				device: { type: 'string', pattern: '^[^\\s/:]{1,15}$' },
				verdict: { enum: VERDICTS },
				reason: { enum: REASONS },
				endpoint: { type: 'string', pattern: `^(${octet}\\.){3}${octet}(:\\d{1,5})?$` },
				rule: { type: 'string', pattern: '^(-A \\S+.*|[a-z]+/\\S+( (rule )?\\d+| policy)?)$' },
				span: { type: 'string', pattern: '^\\+(\\d+(\\.\\d+)?(ns|us|ms|s|m|h|d))+$' },
				row: { type: 'object', additionalProperties: false, properties: keys },
				defaults: {
					type: 'object',
					additionalProperties: false,
					properties: defaults,
					description: 'What rows have that do not say otherwise.',
				},
				flow: {
					type: 'object',
					additionalProperties: false,
					required: ['sourceIP', 'destIP', 'destPort', 'output'],
					properties: {
						name: keys.name,
						in: keys.in,
						sourceIP: ip,
						sourcePort: port,
						protocol: { enum: ['tcp', 'udp', 'TCP', 'UDP'], default: 'tcp' },
						destIP: ip,
						destPort: port,
						output: {
							type: 'string',
							description:
								"ADDRESS:PORT that the service is translated to (of several: one of them, 'A:P, B:P'), DROP, REJECT, or '' where nothing is translated.",
						},
						masq: { type: 'boolean', description: 'Whether its source address is masqueraded.' },
					},
				},
			},
		},
		null,
		'\t',
	) + '\n',
);
