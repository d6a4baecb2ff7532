/*
 * drivers/net/vnic_ethtool.ts: what ethtool can ask of a vnic.
 */
import type { ethtool_ops } from '../../net/ethtool/ethtool.ts';

export const vnic_ethtool_ops: ethtool_ops | null = null;
