/*
 * user/index.ts: the programs of a host, by the names that its PATH has them under.
 */
import { conntrack } from './conntrack/conntrack.ts';
import { date, dmesg, hostname, sleep, timeout } from './coreutils/coreutils.ts';
import { curl } from './curl/curl.ts';
import { ethtool } from './ethtool/ethtool.ts';
import { httpd } from './httpd/httpd.ts';
import { iperf3 } from './iperf3/iperf3.ts';
import { ip } from './iproute2/ip.ts';
import { nstat } from './iproute2/nstat.ts';
import { ss } from './iproute2/ss.ts';
import { tc } from './iproute2/tc.ts';
import { ipset } from './ipset/ipset.ts';
import { iptables } from './iptables/iptables.ts';
import { iptables_restore } from './iptables/iptables-restore.ts';
import { iptables_save } from './iptables/iptables-save.ts';
import { arping } from './iputils/arping.ts';
import { ping } from './iputils/ping.ts';
import type { Programs } from './libc.ts';
import { linnet_send } from './linnet-send.ts';
import { nc } from './netcat/netcat.ts';
import { dnsd } from './netdb/dnsd.ts';
import { nslookup } from './netdb/nslookup.ts';
import { sysctl } from './procps/sysctl.ts';
import { tcpdump } from './tcpdump/tcpdump.ts';
import { traceroute } from './traceroute/traceroute.ts';
import { udhcpc } from './udhcp/udhcpc.ts';
import { udhcpd } from './udhcp/udhcpd.ts';

export const programs: Programs = new Map([
	['arping', arping],
	['conntrack', conntrack],
	['curl', curl],
	['date', date],
	['dmesg', dmesg],
	['dnsd', dnsd],
	['ethtool', ethtool],
	['hostname', hostname],
	['httpd', httpd],
	['ip', ip],
	['iperf3', iperf3],
	['ipset', ipset],
	['iptables', iptables],
	['iptables-legacy', iptables],
	['iptables-legacy-restore', iptables_restore],
	['iptables-legacy-save', iptables_save],
	['iptables-restore', iptables_restore],
	['iptables-save', iptables_save],
	['linnet-send', linnet_send],
	['nc', nc],
	['netcat', nc],
	['nslookup', nslookup],
	['nstat', nstat],
	['ping', ping],
	['sleep', sleep],
	['ss', ss],
	['sysctl', sysctl],
	['tc', tc],
	['tcpdump', tcpdump],
	['timeout', timeout],
	['traceroute', traceroute],
	['udhcpc', udhcpc],
	['udhcpd', udhcpd],
]);
