#!/bin/sh
# The first process in User-Mode Linux, whose root is the machine's own file system. guest.ts lays out WORK and reads it after.
# This must not return, for then the kernel panics.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
ip link set lo up
for name in $(cat "$WORK/modules"); do modprobe -d "$WORK" "$name"; done >"$WORK/output" 2>&1
PATH=$(cat "$WORK/path") HOME=/root sh "$WORK/command" >>"$WORK/output" 2>&1
echo $? >"$WORK/status"
sync
echo o >/proc/sysrq-trigger
sleep 60
