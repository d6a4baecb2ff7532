#!/bin/sh
# What our scripts start from: Linux's defaults, where they would depend on the machine's memory or on what somebody set.
set -e
sysctl -qw net.ipv4.tcp_congestion_control=cubic
sysctl -qw net.ipv4.tcp_rmem='4096 131072 6291456' net.ipv4.tcp_wmem='4096 16384 4194304'
sysctl -qw net.ipv4.tcp_max_syn_backlog=1024 net.ipv4.tcp_max_tw_buckets=65536
sysctl -qw net.ipv4.tcp_fastopen_key=01020304-05060708-090a0b0c-0d0e0f10
