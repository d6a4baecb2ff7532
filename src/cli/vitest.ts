/*
 * cli/vitest.ts: what `import … from 'linnet/vitest'` gives: linnet/matchers, and vitest's expect has them.
 */
import { expect } from 'vitest';
import { type FirewallMatchers, matchers } from './matchers.ts';

export * from './matchers.ts';

declare module 'vitest' {
	interface Matchers<T> extends FirewallMatchers<T extends unknown ? Promise<void> : never> {}
}

expect.extend(matchers);
