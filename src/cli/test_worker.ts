/*
 * cli/test_worker.ts: a thread of `linnet test`: runs its share of a document's rows and tells of each.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { SpecError } from '../firewall/spec.ts';
import { ImportError } from '../lab/import/error.ts';
import { UserError } from './load.ts';
import { type Batch, type FromWorker, readSuites, runSuite } from './test_run.ts';

const batch = workerData as Batch;
const say = (m: FromWorker): void => parentPort?.postMessage(m);

try {
	const suite = readSuites([batch.file]).find((s) => s.document === batch.document);
	if (suite === undefined) throw new UserError(`${batch.file}: it changed while its tests ran`);
	await runSuite(suite, batch.host, batch.rows, (index, result) => say({ kind: 'result', index, result }));
	say({ kind: 'done' });
} catch (e) {
	if (e instanceof SpecError) say({ kind: 'spec', problems: e.problems });
	else
		say({
			kind: 'error',
			user: e instanceof UserError || e instanceof ImportError,
			message: e instanceof Error ? e.message : String(e),
		});
}
