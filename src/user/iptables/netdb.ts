/*
 * user/iptables/netdb.ts: the names that a Debian host's /etc/protocols and /etc/services hold.
 * Original: getprotobyname(3), getservbyname(3). Hosts are not looked up: there is no resolver.
 */

/** name/number/aliases… */
const PROTOCOLS =
	'ip/0/IP hopopt/0/HOPOPT icmp/1/ICMP igmp/2/IGMP ggp/3/GGP ipencap/4/IP-ENCAP st/5/ST tcp/6/TCP egp/8/EGP ' +
	'igp/9/IGP pup/12/PUP udp/17/UDP hmp/20/HMP xns-idp/22/XNS-IDP rdp/27/RDP iso-tp4/29/ISO-TP4 dccp/33/DCCP ' +
	'xtp/36/XTP ddp/37/DDP idpr-cmtp/38/IDPR-CMTP ipv6/41/IPv6 ipv6-route/43/IPv6-Route ipv6-frag/44/IPv6-Frag ' +
	'idrp/45/IDRP rsvp/46/RSVP gre/47/GRE esp/50/IPSEC-ESP ah/51/IPSEC-AH skip/57/SKIP ipv6-icmp/58/IPv6-ICMP ' +
	'ipv6-nonxt/59/IPv6-NoNxt ipv6-opts/60/IPv6-Opts rspf/73/RSPF/CPHB vmtp/81/VMTP eigrp/88/EIGRP ospf/89/OSPFIGP ' +
	'ax.25/93/AX.25 ipip/94/IPIP etherip/97/ETHERIP encap/98/ENCAP pim/103/PIM ipcomp/108/IPCOMP vrrp/112/VRRP ' +
	'l2tp/115/L2TP isis/124/ISIS sctp/132/SCTP fc/133/FC mobility-header/135/Mobility-Header udplite/136/UDPLite ' +
	'mpls-in-ip/137/MPLS-in-IP manet/138 hip/139/HIP shim6/140/Shim6 wesp/141/WESP rohc/142/ROHC ' +
	'ethernet/143/Ethernet mptcp/262/MPTCP';

/** name/port/protocol/aliases… */
const SERVICES =
	'tcpmux/1/tcp echo/7/tcp echo/7/udp discard/9/tcp/sink/null discard/9/udp/sink/null systat/11/tcp/users ' +
	'daytime/13/tcp daytime/13/udp netstat/15/tcp qotd/17/tcp/quote chargen/19/tcp/ttytst/source ' +
	'chargen/19/udp/ttytst/source ftp-data/20/tcp ftp/21/tcp fsp/21/udp/fspd ssh/22/tcp telnet/23/tcp ' +
	'smtp/25/tcp/mail time/37/tcp/timserver time/37/udp/timserver whois/43/tcp/nicname tacacs/49/tcp tacacs/49/udp ' +
	'domain/53/tcp domain/53/udp bootps/67/udp bootpc/68/udp tftp/69/udp gopher/70/tcp finger/79/tcp ' +
	'http/80/tcp/www kerberos/88/tcp/kerberos5/krb5/kerberos-sec kerberos/88/udp/kerberos5/krb5/kerberos-sec ' +
	'iso-tsap/102/tcp/tsap acr-nema/104/tcp/dicom pop3/110/tcp/pop-3 sunrpc/111/tcp/portmapper ' +
	'sunrpc/111/udp/portmapper auth/113/tcp/authentication/tap/ident nntp/119/tcp/readnews/untp ntp/123/udp ' +
	'epmap/135/tcp/loc-srv netbios-ns/137/udp netbios-dgm/138/udp netbios-ssn/139/tcp imap2/143/tcp/imap ' +
	'snmp/161/tcp snmp/161/udp snmp-trap/162/tcp/snmptrap snmp-trap/162/udp/snmptrap cmip-man/163/tcp ' +
	'cmip-man/163/udp cmip-agent/164/tcp cmip-agent/164/udp mailq/174/tcp xdmcp/177/udp bgp/179/tcp smux/199/tcp ' +
	'qmtp/209/tcp z3950/210/tcp/wais ipx/213/udp ptp-event/319/udp ptp-general/320/udp pawserv/345/tcp ' +
	'zserv/346/tcp rpc2portmap/369/tcp rpc2portmap/369/udp codaauth2/370/tcp codaauth2/370/udp ' +
	'clearcase/371/udp/Clearcase ldap/389/tcp ldap/389/udp svrloc/427/tcp svrloc/427/udp https/443/tcp ' +
	'https/443/udp snpp/444/tcp microsoft-ds/445/tcp kpasswd/464/tcp kpasswd/464/udp ' +
	'submissions/465/tcp/ssmtp/smtps/urd saft/487/tcp isakmp/500/udp rtsp/554/tcp rtsp/554/udp nqs/607/tcp ' +
	'asf-rmcp/623/udp qmqp/628/tcp ipp/631/tcp ldp/646/tcp ldp/646/udp exec/512/tcp biff/512/udp/comsat ' +
	'login/513/tcp who/513/udp/whod shell/514/tcp/cmd/syslog syslog/514/udp printer/515/tcp/spooler talk/517/udp ' +
	'ntalk/518/udp route/520/udp/router/routed gdomap/538/tcp gdomap/538/udp uucp/540/tcp/uucpd klogin/543/tcp ' +
	'kshell/544/tcp/krcmd dhcpv6-client/546/udp dhcpv6-server/547/udp afpovertcp/548/tcp nntps/563/tcp/snntp ' +
	'submission/587/tcp ldaps/636/tcp ldaps/636/udp tinc/655/tcp tinc/655/udp silc/706/tcp kerberos-adm/749/tcp ' +
	'domain-s/853/tcp domain-s/853/udp rsync/873/tcp ftps-data/989/tcp ftps/990/tcp telnets/992/tcp imaps/993/tcp ' +
	'pop3s/995/tcp socks/1080/tcp proofd/1093/tcp rootd/1094/tcp openvpn/1194/tcp openvpn/1194/udp ' +
	'rmiregistry/1099/tcp lotusnote/1352/tcp/lotusnotes ms-sql-s/1433/tcp ms-sql-m/1434/udp ingreslock/1524/tcp ' +
	'datametrics/1645/tcp/old-radius datametrics/1645/udp/old-radius sa-msg-port/1646/tcp/old-radacct ' +
	'sa-msg-port/1646/udp/old-radacct kermit/1649/tcp groupwise/1677/tcp l2f/1701/udp/l2tp radius/1812/tcp ' +
	'radius/1812/udp radius-acct/1813/tcp/radacct radius-acct/1813/udp/radacct cisco-sccp/2000/tcp nfs/2049/tcp ' +
	'nfs/2049/udp gnunet/2086/tcp gnunet/2086/udp rtcm-sc104/2101/tcp rtcm-sc104/2101/udp gsigatekeeper/2119/tcp ' +
	'gris/2135/tcp cvspserver/2401/tcp venus/2430/tcp venus/2430/udp venus-se/2431/tcp venus-se/2431/udp ' +
	'codasrv/2432/tcp codasrv/2432/udp codasrv-se/2433/tcp codasrv-se/2433/udp mon/2583/tcp mon/2583/udp ' +
	'dict/2628/tcp f5-globalsite/2792/tcp gsiftp/2811/tcp gpsd/2947/tcp gds-db/3050/tcp/gds_db icpv2/3130/udp/icp ' +
	'isns/3205/tcp isns/3205/udp iscsi-target/3260/tcp mysql/3306/tcp ms-wbt-server/3389/tcp nut/3493/tcp ' +
	'nut/3493/udp distcc/3632/tcp daap/3689/tcp svn/3690/tcp/subversion suucp/4031/tcp sysrqd/4094/tcp ' +
	'sieve/4190/tcp epmd/4369/tcp remctl/4373/tcp f5-iquery/4353/tcp ntske/4460/tcp ipsec-nat-t/4500/udp ' +
	'iax/4569/udp mtn/4691/tcp radmin-port/4899/tcp sip/5060/tcp sip/5060/udp sip-tls/5061/tcp sip-tls/5061/udp ' +
	'xmpp-client/5222/tcp/jabber-client xmpp-server/5269/tcp/jabber-server cfengine/5308/tcp mdns/5353/udp ' +
	'postgresql/5432/tcp/postgres freeciv/5556/tcp/rptp amqps/5671/tcp amqp/5672/tcp amqp/5672/sctp ' +
	'x11/6000/tcp/x11-0 x11-1/6001/tcp x11-2/6002/tcp x11-3/6003/tcp x11-4/6004/tcp x11-5/6005/tcp x11-6/6006/tcp ' +
	'x11-7/6007/tcp gnutella-svc/6346/tcp gnutella-svc/6346/udp gnutella-rtr/6347/tcp gnutella-rtr/6347/udp ' +
	'redis/6379/tcp sge-qmaster/6444/tcp/sge_qmaster sge-execd/6445/tcp/sge_execd mysql-proxy/6446/tcp ' +
	'babel/6696/udp ircs-u/6697/tcp bbs/7000/tcp afs3-fileserver/7000/udp afs3-callback/7001/udp ' +
	'afs3-prserver/7002/udp afs3-vlserver/7003/udp afs3-kaserver/7004/udp afs3-volser/7005/udp afs3-bos/7007/udp ' +
	'afs3-update/7008/udp afs3-rmtsys/7009/udp font-service/7100/tcp/xfs http-alt/8080/tcp/webcache puppet/8140/tcp ' +
	'bacula-dir/9101/tcp bacula-fd/9102/tcp bacula-sd/9103/tcp xmms2/9667/tcp nbd/10809/tcp zabbix-agent/10050/tcp ' +
	'zabbix-trapper/10051/tcp amanda/10080/tcp dicom/11112/tcp hkp/11371/tcp db-lsp/17500/tcp dcap/22125/tcp ' +
	'gsidcap/22128/tcp wnn6/22273/tcp rtmp/1/ddp nbp/2/ddp echo/4/ddp zip/6/ddp kerberos4/750/udp/kerberos-iv/kdc ' +
	'kerberos4/750/tcp/kerberos-iv/kdc kerberos-master/751/udp/kerberos_master kerberos-master/751/tcp ' +
	'passwd-server/752/udp/passwd_server krb-prop/754/tcp/krb_prop/krb5_prop/hprop zephyr-srv/2102/udp ' +
	'zephyr-clt/2103/udp zephyr-hm/2104/udp iprop/2121/tcp supfilesrv/871/tcp supfiledbg/1127/tcp poppassd/106/tcp ' +
	'moira-db/775/tcp/moira_db moira-update/777/tcp/moira_update moira-ureg/779/udp/moira_ureg spamd/783/tcp ' +
	'skkserv/1178/tcp predict/1210/udp rmtcfg/1236/tcp xtel/1313/tcp xtelw/1314/tcp zebrasrv/2600/tcp ' +
	'zebra/2601/tcp ripd/2602/tcp ripngd/2603/tcp ospfd/2604/tcp bgpd/2605/tcp ospf6d/2606/tcp ospfapi/2607/tcp ' +
	'isisd/2608/tcp fax/4557/tcp hylafax/4559/tcp munin/4949/tcp/lrrd rplay/5555/udp nrpe/5666/tcp nsca/5667/tcp ' +
	'canna/5680/tcp syslog-tls/6514/tcp sane-port/6566/tcp/sane/saned ircd/6667/tcp zope-ftp/8021/tcp ' +
	'tproxy/8081/tcp omniorb/8088/tcp clc-build-daemon/8990/tcp xinetd/9098/tcp git/9418/tcp zope/9673/tcp ' +
	'webmin/10000/tcp kamanda/10081/tcp amandaidx/10082/tcp amidxtape/10083/tcp sgi-cmsd/17001/udp ' +
	'sgi-crsd/17002/udp sgi-gcd/17003/udp sgi-cad/17004/tcp binkp/24554/tcp asp/27374/tcp asp/27374/udp ' +
	'csync2/30865/tcp dircproxy/57000/tcp tfido/60177/tcp fido/60179/tcp';

/** Names that the tools know by themselves, before any file. */
const CHAIN_PROTOS: readonly (readonly [string, number])[] = [
	['tcp', 6],
	['sctp', 132],
	['udp', 17],
	['udplite', 136],
	['icmp', 1],
	['icmpv6', 58],
	['ipv6-icmp', 58],
	['esp', 50],
	['ah', 51],
	['ipv6-mh', 135],
	['mh', 135],
	['all', 0],
];

function protocols(): string[][] {
	return PROTOCOLS.split(' ').map((e) => e.split('/'));
}

function services(): string[][] {
	return SERVICES.split(' ').map((e) => e.split('/'));
}

/** Number of a protocol by name or alias; -1 when unknown. */
export function getprotobyname(name: string): number {
	for (const [n, num, ...aliases] of protocols()) if (n === name || aliases.includes(name)) return Number(num);
	return -1;
}

/** '' when unknown. */
export function getprotobynumber(proto: number): string {
	for (const [n, num] of protocols()) if (Number(num) === proto) return n;
	return '';
}

/** What -p takes. Return: the number, -1 when neither a number nor a name. */
export function xtables_parse_protocol(s: string): number {
	const n = parse_uint(s, 255);
	if (n >= 0) return n;
	const lower = s.toLowerCase();
	for (const [name, num] of CHAIN_PROTOS) if (name === lower) return num;
	return getprotobyname(lower);
}

/** Name of a protocol as -S prints it; '' when it has none. */
export function proto_to_name(proto: number, nolookup: boolean): string {
	if (proto === 0) return '';
	const listed = nolookup ? '' : getprotobynumber(proto);
	if (listed !== '') return listed;
	for (const [name, num] of CHAIN_PROTOS) if (num === proto) return name;
	return '';
}

/** Port of a service; -1 when unknown. `proto`: 'tcp', …; '' takes any. */
export function getservbyname(name: string, proto: string): number {
	for (const [n, port, p, ...aliases] of services()) {
		if ((proto === '' || p === proto) && (n === name || aliases.includes(name))) return Number(port);
	}
	return -1;
}

/** '' when unknown. */
export function getservbyport(port: number, proto: string): string {
	for (const [n, num, p] of services()) if (Number(num) === port && (proto === '' || p === proto)) return n;
	return '';
}

/** Names of addresses: what /etc/hosts and /etc/networks of the machine say. */
export interface address_names {
	hosts: readonly (readonly [string, number])[];
	networks: readonly (readonly [string, number])[];
}

export const NO_NAMES: address_names = { hosts: [['localhost', 0x7f000001]], networks: [] };

function dotted(s: string): number {
	const parts = s.split('.');
	if (parts.length > 4 || !parts.every((p) => /^\d{1,3}$/.test(p) && Number(p) < 256)) return -1;
	let a = 0;
	for (let i = 0; i < 4; i++) a = a * 256 + (i < parts.length ? Number(parts[i]) : 0);
	return a;
}

/** Reads the text of /etc/hosts (address, names) and /etc/networks (name, address); null where there is no such file. */
export function parse_address_names(hosts: string | null, networks: string | null): address_names {
	const lines = (text: string): string[][] =>
		text
			.split('\n')
			.map((l) =>
				l
					.replace(/#.*/, '')
					.split(/\s+/)
					.filter((w) => w !== ''),
			)
			.filter((w) => w.length >= 2);
	const h: [string, number][] = [];
	for (const [addr, ...names] of hosts === null ? [] : lines(hosts)) {
		const a = dotted(addr);
		if (a >= 0 && addr.split('.').length === 4) for (const n of names) h.push([n, a]);
	}
	const n: [string, number][] = [];
	for (const [name, addr] of networks === null ? [] : lines(networks)) {
		const a = dotted(addr);
		if (a >= 0) n.push([name, a]);
	}
	return { hosts: hosts === null ? NO_NAMES.hosts : h, networks: n };
}

/** A host's or network's name; '' when it has none. */
export function gethostornet(names: address_names, addr: number): string {
	for (const [n, a] of names.hosts) if (a === addr) return n;
	for (const [n, a] of names.networks) if (a === addr) return n;
	return '';
}

/** Address of a network or host by name; -1 when unknown. */
export function gethostornetbyname(names: address_names, name: string): number {
	for (const [n, a] of names.networks) if (n === name) return a;
	for (const [n, a] of names.hosts) if (n === name) return a;
	return -1;
}

/** strtoul(3) with base 0 over the whole of `s`. Return: the number, or -1 when it is none or more than `max`. */
export function parse_uint(s: string, max: number): number {
	const n = strtoul(s);
	return n === null || n.rest !== '' || n.value > max ? -1 : n.value;
}

/** The number at the start of `s` (0x hex, 0 octal, else decimal), and what follows it; null when there is none. */
export function strtoul(s: string, base = 0): { value: number; rest: string } | null {
	const m = (
		base === 16
			? /^\s*(?:0[xX])?([0-9a-fA-F]+)/
			: base === 10
				? /^\s*([0-9]+)/
				: /^\s*(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)/
	).exec(s);
	if (m === null) return null;
	const d = m[1];
	const value =
		base === 16 ? parseInt(d, 16) : base === 10 ? Number(d) : /^0[0-7]+$/.test(d) ? parseInt(d, 8) : Number(d);
	return { value, rest: s.slice(m[0].length) };
}

/** The users and groups that a Debian system begins with (base-passwd), as name/number. */
const USERS =
	'root/0 daemon/1 bin/2 sys/3 sync/4 games/5 man/6 lp/7 mail/8 news/9 uucp/10 proxy/13 www-data/33 backup/34 list/38 ' +
	'irc/39 nobody/65534';
const GROUPS =
	'root/0 daemon/1 bin/2 sys/3 adm/4 tty/5 disk/6 lp/7 mail/8 news/9 uucp/10 man/12 proxy/13 kmem/15 dialout/20 fax/21 ' +
	'voice/22 cdrom/24 floppy/25 tape/26 sudo/27 audio/29 dip/30 www-data/33 backup/34 operator/37 list/38 irc/39 src/40 ' +
	'shadow/42 utmp/43 video/44 sasl/45 plugdev/46 staff/50 games/60 users/100 nogroup/65534';

function number_in(list: string, name: string): number {
	for (const e of list.split(' ')) if (e.slice(0, e.indexOf('/')) === name) return Number(e.slice(e.indexOf('/') + 1));
	return -1;
}

function name_in(list: string, id: number): string {
	for (const e of list.split(' ')) if (Number(e.slice(e.indexOf('/') + 1)) === id) return e.slice(0, e.indexOf('/'));
	return '';
}

/** -1 when unknown. */
export function user_number(name: string): number {
	return number_in(USERS, name);
}

export function group_number(name: string): number {
	return number_in(GROUPS, name);
}

/** '' when unknown. */
export function user_name(uid: number): string {
	return name_in(USERS, uid);
}

export function group_name(gid: number): string {
	return name_in(GROUPS, gid);
}
