/*
 * lib/win_minmax.ts: the least or greatest of what was measured within a window of time, in constant memory.
 *                                                                  Linux: linux/win_minmax.h, lib/win_minmax.c
 *
 * Three samples: the best of the window, the best of what came after it, the best of what came after that. When the best grows too
 * old the second takes its place. Time is any counter that does not go back (jiffies, rounds). The caller owns the two arrays of three.
 */

/** Forgets all but this sample. Return: its value. */
export function minmax_reset(t: number[], v: number[], now: number, meas: number): number {
	t[0] = now;
	t[1] = now;
	t[2] = now;
	v[0] = meas;
	v[1] = meas;
	v[2] = meas;
	return meas;
}

/** Lets samples that are too old go, and spreads the younger ones over the window's quarters. */
function minmax_subwin_update(t: number[], v: number[], win: number, now: number, meas: number): number {
	const age = now - t[0];
	if (age > win) {
		t[0] = t[1];
		v[0] = v[1];
		t[1] = t[2];
		v[1] = v[2];
		t[2] = now;
		v[2] = meas;
		if (now - t[0] > win) {
			t[0] = t[1];
			v[0] = v[1];
			t[1] = t[2];
			v[1] = v[2];
			t[2] = now;
			v[2] = meas;
		}
	} else if (t[1] === t[0] && age > Math.floor(win / 4)) {
		// A quarter of the window has gone by with no second best: this one is.
		t[1] = now;
		v[1] = meas;
		t[2] = now;
		v[2] = meas;
	} else if (t[2] === t[1] && age > Math.floor(win / 2)) {
		t[2] = now;
		v[2] = meas;
	}
	return v[0];
}

/** Takes a sample into a running maximum over `win`. Return: the maximum. */
export function minmax_running_max(t: number[], v: number[], win: number, now: number, meas: number): number {
	if (meas >= v[0] || now - t[2] > win) return minmax_reset(t, v, now, meas);
	if (meas >= v[1]) {
		t[1] = now;
		v[1] = meas;
		t[2] = now;
		v[2] = meas;
	} else if (meas >= v[2]) {
		t[2] = now;
		v[2] = meas;
	}
	return minmax_subwin_update(t, v, win, now, meas);
}

/** Takes a sample into a running minimum over `win`. Return: the minimum. */
export function minmax_running_min(t: number[], v: number[], win: number, now: number, meas: number): number {
	if (meas <= v[0] || now - t[2] > win) return minmax_reset(t, v, now, meas);
	if (meas <= v[1]) {
		t[1] = now;
		v[1] = meas;
		t[2] = now;
		v[2] = meas;
	} else if (meas <= v[2]) {
		t[2] = now;
		v[2] = meas;
	}
	return minmax_subwin_update(t, v, win, now, meas);
}
