/*
 * cli/capture-script.ts: the script that collects a host's network configuration, as `linnet capture-script` prints it.
 * It must stay short enough to be read before it is run as root on somebody's router.
 */

export const CAPTURE_SCRIPT = `#!/bin/sh
# Collects this host's network configuration for linnet: reads only, changes nothing.
# Usage (as root): sh capture.sh [FOLDER]      then: linnet trace --host FOLDER ...
# It holds addresses, routes, firewall rules, sysctls, live connections and which programs listen. Read it before you share it.
set -u
out=\${1:-linnet-$(uname -n)-$(date -u +%Y%m%dT%H%M%SZ)}
mkdir -p "$out" || exit 1

get() { # get FILE COMMAND...: what the command prints goes to FILE; a command that is missing or fails is noted
    file=$1; shift
    if ! command -v "$1" >/dev/null 2>&1; then echo "$file: no $1 on this host" >>"$out/notes"; return; fi
    "$@" >"$out/$file" 2>"$out/.err" || { echo "$file: $* failed: $(tr '\\n' ' ' <"$out/.err")" >>"$out/notes"; }
    [ -s "$out/$file" ] || rm -f "$out/$file"
}

: >"$out/notes"
{ uname -n; uname -sr; date -u +%Y-%m-%dT%H:%M:%SZ; ip -V 2>&1; iptables -V 2>&1; } >"$out/host"
get link.json      ip -j -d -s link show
get addr.json      ip -j -d addr show
get route.json     ip -4 -j -d route show table all
get rule.json      ip -4 -j -d rule show
get neigh.json     ip -4 -j -s neigh show
get sysctl         sysctl -a -r ^net
get iptables-save  iptables-save -c
get iptables-legacy-save iptables-legacy-save -c
get conntrack      conntrack -L -o extended
get listeners      ss -H -lntup
get nft.json       nft -j list ruleset
get rt_tables      cat /etc/iproute2/rt_tables
rm -f "$out/.err"
echo "$out: $(ls "$out" | tr '\\n' ' ')"
`;
