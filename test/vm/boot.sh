#!/bin/sh
# The first process of a machine after its initramfs: what a distribution does at boot, then commands from the host until the power
# is cut. NUMBER is on the kernel's command line.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for folder in /run /tmp /dev/shm; do mount -t tmpfs tmpfs "$folder"; done
hostname "n$NUMBER"

# As Vagrant's machines have them: a first card with the same address everywhere, which leads out, and one to the other nodes.
ip link set lo up
ip address add 10.0.2.15/24 dev eth0
ip link set eth0 up
ip route add default via 10.0.2.2
ip address add "192.168.56.1$NUMBER/24" dev eth1
ip link set eth1 up

if command -v services >/dev/null; then services boot; fi

# A line for a command: its number, and the command in base64. A line back: the number, its status, what it wrote in base64.
for port in /dev/vport*; do exec 3<>"$port"; done
echo '0 0 ' >&3
while read -r number command <&3; do
  echo "$command" | base64 -d >/run/command
  sh -e /run/command >/run/output 2>&1 </dev/null 3>&-
  echo "$number $? $(base64 -w 0 /run/output)" >&3
done
