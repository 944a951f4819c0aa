#!/bin/sh
# Makes a Debian machine a node of the lab: containerd, Node, our executables, the overlay's daemon and its configuration, and on
# one node etcd. All of it comes out of the archive that pack.ts makes; nothing is downloaded. What is there already stays, so it
# may run again, with another backend or a newer archive.
#
# usage: install.sh ARCHIVE ADDRESS ETCD BACKEND
#   ADDRESS   this node's in the network between the nodes: the overlay uses the link that has it. Every machine of Vagrant's has
#             the same address on its first card, so the link of the default route would not do
#   ETCD      address of the node with etcd: that node's own ADDRESS there
#   BACKEND   vxlan, host-gw or udp
set -eu
[ $# -eq 4 ] || { sed -n '/^# usage/,/^set/{/^set/d; s/^# //; p;}' "$0" >&2; exit 2; }
archive=$1 address=$2 etcd=$3 backend=$4
home=/opt/overlab
units=/etc/systemd/system

step() {
  step=$*
  echo "overlab: $step"
}
trap 'status=$?; [ $status -eq 0 ] || echo "Cannot make $(hostname) a node: \"$step\" failed with status $status" >&2' EXIT

step "find the link that has $address"
link=$(ip -o address show to "$address/32" | awk 'NR == 1 { print $2 }')
if [ -z "$link" ]; then
  echo "No link has $address; there are:" >&2
  ip -br address >&2
  exit 1
fi

step "unpack $archive"
rm -rf "$home.new"
mkdir -p "$home.new"
tar -C "$home.new" -xf "$archive" --no-same-owner
rm -rf "$home"
mv "$home.new" "$home"

step 'put programs, plugins and configuration in their places'
mkdir -p /usr/local/bin /opt/cni/bin /etc/cni/net.d /etc/containerd /etc/default /etc/tmpfiles.d /etc/modules-load.d /etc/sysctl.d $units
for program in "$home"/bin/* "$home"/node/bin/*; do ln -sf "$program" /usr/local/bin/; done
for plugin in "$home"/cni-bin/*; do ln -f "$plugin" /opt/cni/bin/; done
cp "$home"/netconf/10-flannel.conflist /etc/cni/net.d/
cp "$home"/netconf/overlab-daemon.service "$home"/node/containerd.service $units/
cp "$home"/node/containerd.toml /etc/containerd/config.toml
cp "$home"/node/tmpfiles.conf /etc/tmpfiles.d/overlab.conf
echo 'net.ipv4.ip_forward = 1' >/etc/sysctl.d/90-overlab.conf
printf '%s\n' tun vxlan br_netfilter >/etc/modules-load.d/overlab.conf
cat >/etc/default/overlab-daemon <<ENV
FLANNELD_ETCD_ENDPOINTS=http://$etcd:2379
FLANNELD_IFACE=$address
FLANNELD_IP_MASQ=true
FLANNELD_HEALTHZ_PORT=8471
ENV
cat >/etc/default/overlab-lab <<ENV
export ETCDCTL_API=3 ETCDCTL_ENDPOINTS=http://$etcd:2379
# Of busy machines, which are slower than etcdctl expects.
export ETCDCTL_DIAL_TIMEOUT=20s ETCDCTL_COMMAND_TIMEOUT=60s
ENV

step 'load kernel modules, forward packets'
# A kernel may have them built in.
xargs -n 1 modprobe -q </etc/modules-load.d/overlab.conf || true
sysctl -q -p /etc/sysctl.d/90-overlab.conf

if [ "$address" = "$etcd" ]; then
  step 'start etcd'
  echo "ETCD_ADDRESS=$address" >/etc/default/etcd
  cp "$home"/node/etcd.service $units/
  services start etcd
  step "configure the network: backend $backend"
  overlay backend "$backend"
fi

step 'start containerd and the overlay daemon'
# containerd goes on as it is, for `ctr run --cni` detaches its container when containerd is restarted.
services start containerd
services restart overlab-daemon

step 'import the image of the pods'
pod image "$home/image.tar"

step 'wait for a subnet'
overlay wait
sync
