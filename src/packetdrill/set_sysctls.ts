/*
 * packetdrill/set_sysctls.ts: the helper of that name beside the Linux kernel's packetdrill scripts, which is Python there: sets sysctls and
 * leaves /tmp/sysctl_restore_$PACKETDRILL_PID.sh, a script that sets them back.
 */
import type { Process } from '../user/libc.ts';

/** Arguments: /proc/sys/net/…=VALUE. */
export async function set_sysctls(proc: Process): Promise<number> {
	const restore = ['#!/bin/bash'];
	let status = 0;
	for (const arg of proc.argv.slice(1)) {
		const eq = arg.indexOf('=');
		const [path, value] = eq < 0 ? [arg, null] : [arg.slice(0, eq), arg.slice(eq + 1)];
		const old = await proc.readFile(path);
		if (value === null || typeof old === 'number') {
			proc.stderr.write(
				`set_sysctls.py: ${value === null ? `'${arg}' is not FILE=VALUE` : `${path} cannot be read`}\n`,
			);
			status = 1;
			continue;
		}
		restore.push(`echo "${old.trim()}" > ${path}`);
		const err = await proc.writeFile(path, `${value.replace(/^"|"$/g, '')}\n`);
		if (err < 0) {
			proc.stderr.write(`set_sysctls.py: ${path}: cannot be set to '${value}'\n`);
			status = 1;
		}
	}
	const name = `/tmp/sysctl_restore_${proc.env.get('PACKETDRILL_PID') ?? '0'}.sh`;
	await proc.writeFile(name, restore.join('\n') + '\n');
	// Made executable, as the original does.
	await proc.exec(['chmod', 'u+x', name]);
	return status;
}
