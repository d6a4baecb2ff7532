/*
 * net/ethtool/ioctl.ts: SIOCETHTOOL.                               Linux: net/ethtool/ioctl.c
 */
import { EOPNOTSUPP } from '../../uapi/asm-generic/errno.ts';
import type { net_device } from '../core/netdevice.ts';

/** Answers one ethtool command; `data` is the struct that ifr_data points to. Return: 0 or -errno. */
export function dev_ethtool(_dev: net_device, _data: Uint8Array): number {
	return -EOPNOTSUPP;
}
