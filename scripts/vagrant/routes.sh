#!/bin/sh
# Plain routes to the pods of the other nodes, and forwarding. Runs at every start of the machine.
# usage: routes.sh SUBNET NODE [SUBNET NODE]...
set -eu
sysctl -qw net.ipv4.ip_forward=1
while [ $# -ge 2 ]; do
  ip route replace "$1" via "$2"
  shift 2
done
