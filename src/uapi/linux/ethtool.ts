/*
 * uapi/linux/ethtool.ts: commands of SIOCETHTOOL.   Linux: uapi/linux/ethtool.h
 */

export const ETHTOOL_GSET = 0x01;
export const ETHTOOL_SSET = 0x02;
export const ETHTOOL_GDRVINFO = 0x03;
export const ETHTOOL_GMSGLVL = 0x07;
export const ETHTOOL_SMSGLVL = 0x08;
export const ETHTOOL_NWAY_RST = 0x09;
export const ETHTOOL_GLINK = 0x0a;
export const ETHTOOL_GCOALESCE = 0x0e;
export const ETHTOOL_SCOALESCE = 0x0f;
export const ETHTOOL_GRINGPARAM = 0x10;
export const ETHTOOL_SRINGPARAM = 0x11;
export const ETHTOOL_GPAUSEPARAM = 0x12;
export const ETHTOOL_SPAUSEPARAM = 0x13;
export const ETHTOOL_GRXCSUM = 0x14;
export const ETHTOOL_SRXCSUM = 0x15;
export const ETHTOOL_GTXCSUM = 0x16;
export const ETHTOOL_STXCSUM = 0x17;
export const ETHTOOL_GSG = 0x18;
export const ETHTOOL_SSG = 0x19;
export const ETHTOOL_GSTRINGS = 0x1b;
export const ETHTOOL_GSTATS = 0x1d;
export const ETHTOOL_GTSO = 0x1e;
export const ETHTOOL_STSO = 0x1f;
export const ETHTOOL_GPERMADDR = 0x20;
export const ETHTOOL_GUFO = 0x21;
export const ETHTOOL_SUFO = 0x22;
export const ETHTOOL_GGSO = 0x23;
export const ETHTOOL_SGSO = 0x24;
export const ETHTOOL_GFLAGS = 0x25;
export const ETHTOOL_SFLAGS = 0x26;
export const ETHTOOL_GGRO = 0x2b;
export const ETHTOOL_SGRO = 0x2c;
export const ETHTOOL_GSSET_INFO = 0x37;
export const ETHTOOL_GFEATURES = 0x3a;
export const ETHTOOL_SFEATURES = 0x3b;
export const ETHTOOL_GCHANNELS = 0x3c;
export const ETHTOOL_SCHANNELS = 0x3d;
export const ETHTOOL_GET_TS_INFO = 0x41;
export const ETHTOOL_GLINKSETTINGS = 0x4c;
export const ETHTOOL_SLINKSETTINGS = 0x4d;

export const ETH_SS_TEST = 0;
export const ETH_SS_STATS = 1;
export const ETH_SS_PRIV_FLAGS = 2;
export const ETH_SS_FEATURES = 4;
export const ETH_GSTRING_LEN = 32;

export const ETHTOOL_F_UNSUPPORTED = 1;
export const ETHTOOL_F_WISH = 2;
export const ETHTOOL_F_COMPAT = 4;

export const ETH_FLAG_TXVLAN = 1 << 7;
export const ETH_FLAG_RXVLAN = 1 << 8;
export const ETH_FLAG_LRO = 1 << 15;

export const SPEED_UNKNOWN = -1;
export const DUPLEX_HALF = 0;
export const DUPLEX_FULL = 1;
export const DUPLEX_UNKNOWN = 0xff;
export const PORT_TP = 0;
export const PORT_OTHER = 0xff;
export const AUTONEG_DISABLE = 0;
export const AUTONEG_ENABLE = 1;

export const ETHTOOL_LINK_MODE_10baseT_Full_BIT = 1;
export const ETHTOOL_LINK_MODE_100baseT_Full_BIT = 3;
export const ETHTOOL_LINK_MODE_1000baseT_Full_BIT = 5;
export const ETHTOOL_LINK_MODE_Autoneg_BIT = 6;
export const ETHTOOL_LINK_MODE_TP_BIT = 7;
export const ETHTOOL_LINK_MODE_10000baseT_Full_BIT = 12;
