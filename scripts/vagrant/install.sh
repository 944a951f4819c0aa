#!/bin/sh
# Makes a machine of the Vagrantfile a node: overlab in /opt/overlab, its plugins in /opt/cni/bin, a network for its pods.
# usage: install.sh NUMBER ARCHIVE     the node's pods get 10.244.NUMBER.0/24; the archive is pack.ts's, and is removed
set -eu
number=$1 archive=$2

mkdir -p /opt/overlab /opt/cni/bin /etc/cni/net.d
tar -C /opt/overlab -xzf "$archive" --no-same-owner
rm "$archive"
cp -lf /opt/overlab/cni-bin/* /opt/cni/bin/

cat >/usr/local/bin/overlab <<'SH'
#!/bin/sh
exec /opt/overlab/bin/node /opt/overlab/dist/cli/main.js "$@"
SH
install -m 755 /dev/stdin /usr/local/bin/pod <<'SH'
#!/bin/sh
# usage: pod add NAME | pod delete NAME | pod exec NAME COMMAND...      a pod is a network namespace on the network "pods"
set -eu
[ $# -ge 2 ] || { sed -n 2p "$0" >&2; exit 2; }
verb=$1 name=$2
shift 2
case $verb in
  add)
    ip netns add "$name"
    overlab cni add loopback "$name" --ifname lo >/dev/null
    overlab cni add pods "$name"
    ;;
  delete)
    overlab cni del pods "$name"
    overlab cni del loopback "$name" --ifname lo
    ip netns delete "$name"
    ;;
  exec) exec ip netns exec "$name" "$@" ;;
  *) sed -n 2p "$0" >&2; exit 2 ;;
esac
SH
chmod 755 /usr/local/bin/overlab

# Between nodes pods keep their addresses; only what leaves for other networks would need a masquerade.
cat >/etc/cni/net.d/10-pods.conflist <<JSON
{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "cni0",
      "isDefaultGateway": true,
      "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.244.$number.0/24" }]] }
    }
  ]
}
JSON
cat >/etc/cni/net.d/99-loopback.conf <<JSON
{ "cniVersion": "1.0.0", "name": "loopback", "type": "loopback" }
JSON
