#!/bin/bash
# Records what real Linux answers to a script: record.sh NAME.cmds > NAME.linux.txt (root; makes and removes one namespace).
ns=linnet-rt-$$
ip netns add $ns
trap 'ip netns del $ns' EXIT
ip netns exec $ns bash -s "$1" <<'IN'
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.lo.disable_ipv6=1
ip link add v0 type veth peer name v1
ip link add v2 type veth peer name v3
while IFS= read -r line; do
	case $line in ''|'#'*) continue;; esac
	echo "\$ $line"
	case $line in
	sysctl\ -qw*) eval "$line" 2>/dev/null || echo "errno ?" ;;
	*) eval "$line" 2>&1 ;;
	esac
done < "$1"
IN
