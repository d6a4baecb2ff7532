/*
 * net/ethtool/ethtool.ts: what drivers tell of themselves.         Linux: net/ethtool/, linux/ethtool.h
 */
import type { net_device } from '../core/netdevice.ts';

/** What a driver answers to ethtool; null where it has nothing. */
export class ethtool_ops {
	get_link: ((dev: net_device) => boolean) | null = null;
}
