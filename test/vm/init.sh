#!/bin/sh
# The first process of a machine, in its initramfs. The root becomes the host's own, read over 9p, with what the machine writes on
# its disk above it: an overlay. What a node must bring along is hidden, so that the host's is not taken for it; the checkout is
# /mnt, since its own place may be hidden, too.
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do insmod "$module"; done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 host /host
mount -t ext4 /dev/vda /disk
mkdir -p /disk/upper /disk/work
mount -t overlay -o lowerdir=/host,upperdir=/disk/upper,workdir=/disk/work overlay /root
for folder in opt usr/local var/lib var/log; do
  mkdir -p "/disk/own/$folder" "/root/$folder"
  mount --bind "/disk/own/$folder" "/root/$folder"
done
mkdir -p /root/lib/modules
mount --bind "/host$MODULES" /root/lib/modules
mkdir -p /root/mnt
mount --bind "/host$CHECKOUT" /root/mnt
umount /proc /dev
exec switch_root /root /bin/sh /mnt/test/vm/boot.sh
