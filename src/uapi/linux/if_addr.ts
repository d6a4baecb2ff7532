/*
 * uapi/linux/if_addr.ts: IFA_* attributes and flags.   Linux: uapi/linux/if_addr.h
 */

export const IFA_UNSPEC = 0;
export const IFA_ADDRESS = 1;
export const IFA_LOCAL = 2;
export const IFA_LABEL = 3;
export const IFA_BROADCAST = 4;
export const IFA_ANYCAST = 5;
export const IFA_CACHEINFO = 6;
export const IFA_MULTICAST = 7;
export const IFA_FLAGS = 8;
export const IFA_RT_PRIORITY = 9;
export const IFA_TARGET_NETNSID = 10;
export const IFA_PROTO = 11;
export const IFA_MAX = 11;
export const IFA_F_SECONDARY = 1;
export const IFA_F_TEMPORARY = 1;
export const IFA_F_NODAD = 2;
export const IFA_F_OPTIMISTIC = 4;
export const IFA_F_DADFAILED = 8;
export const IFA_F_HOMEADDRESS = 16;
export const IFA_F_DEPRECATED = 32;
export const IFA_F_TENTATIVE = 64;
export const IFA_F_PERMANENT = 128;
export const IFA_F_MANAGETEMPADDR = 256;
export const IFA_F_NOPREFIXROUTE = 512;
export const IFA_F_MCAUTOJOIN = 1024;
export const IFA_F_STABLE_PRIVACY = 2048;
export const IFAPROT_UNSPEC = 0;
export const IFAPROT_KERNEL_LO = 1;
export const IFAPROT_KERNEL_RA = 2;
export const IFAPROT_KERNEL_LL = 3;
