/** What somebody may do to nodes with VXLAN between two frames. */
import fc from 'fast-check'
import { addressOf, macOf, prefixOf, STRANGER } from './address-plan.ts'
import { BELOW, POD, podMac, ROUTER, TUNNEL, underlayOf, vtepMac } from './vxlan-plan.ts'
import { among, type Deed, line, onOff, settled } from './world.ts'

const node = ['n1', 'n2'] as const
const mac = among(vtepMac(2), vtepMac(1), podMac(1), podMac(2), '00:00:00:00:00:00', STRANGER.mac, macOf(2, 9))
const remote = among(underlayOf(2), underlayOf(1), underlayOf(3), STRANGER.address)
const tunnelAddress = among(addressOf(TUNNEL, 2), addressOf(TUNNEL, 1), addressOf(TUNNEL, 3))
const vxlanMtu = among('1400', '1450', '1280', '1500', '600')
const network = among(prefixOf(1), prefixOf(2), `${addressOf(2, POD + 2)}/32`)

const of = (name: string): fc.Arbitrary<Deed> =>
  fc.oneof(
    line(
      name,
      'bridge fdb',
      among('add', 'append', 'replace'),
      mac,
      'dev vx dst',
      remote,
      'self',
      among('permanent', 'static', 'dynamic', ''),
    ),
    line(
      name,
      'bridge fdb',
      among('add', 'append', 'replace'),
      mac,
      'dev vx dst',
      remote,
      among('port 4789', 'vni 8', 'via eth0'),
      'self permanent',
    ),
    line(name, 'bridge fdb del', mac, 'dev vx', among('', `dst ${underlayOf(1)}`, `dst ${underlayOf(2)}`), 'self'),
    line(
      name,
      'ip neigh',
      among('replace', 'add'),
      tunnelAddress,
      'lladdr',
      mac,
      'dev vx',
      among('', 'nud permanent', 'nud stale', 'nud noarp'),
    ),
    line(name, 'ip neigh del', tunnelAddress, 'dev vx'),
    line(name, 'ip route', among('replace', 'add', 'append'), network, 'via', tunnelAddress, 'dev vx onlink'),
    line(name, 'ip route del', network),
    line(name, 'ip route', among('add', 'replace'), among('blackhole', 'unreachable', 'prohibit'), network),
    line(name, 'ip route replace', prefixOf(BELOW), 'dev eth0 mtu', among('1400', '1300', 'lock 1400')),
    line(name, 'ip link set', among('vx', 'eth0', 'v1', 'br0'), 'mtu', vxlanMtu),
    line(name, 'ip link set vx', among('master br0', 'nomaster')),
    line(name, 'bridge link set dev vx', among('learning', 'flood', 'isolated', 'bcast_flood'), onOff),
    line(name, 'ip link set vx address', among(vtepMac(1), vtepMac(2), STRANGER.mac)),
    line(
      name,
      'ip address',
      among('add', 'del'),
      among(`${addressOf(TUNNEL, 1)}/24`, `${addressOf(TUNNEL, 2)}/32`, `${addressOf(1, ROUTER)}/24`),
      'dev',
      among('vx', 'v1'),
    ),
    line(
      name,
      'sysctl -qw',
      among(
        'net.ipv4.ip_forward=0',
        'net.ipv4.ip_forward=1',
        'net.ipv4.conf.vx.rp_filter=1',
        'net.ipv4.conf.vx.accept_local=1',
        'net.ipv4.ip_default_ttl=33',
        'net.ipv4.ip_forward_use_pmtu=1',
      ),
    ),
    settled(line(name, 'ip link set', among('vx', 'eth0', 'br0'), among('down', 'up'))),
  )

/** What is marked on its way in has the mark outside of the tunnel as well: KUBE-MARK-MASQ of kube-proxy. */
function marked(name: string): fc.Arbitrary<Deed> {
  const matched = line(
    name,
    'iptables -t mangle -A',
    among('OUTPUT', 'POSTROUTING'),
    '-m mark --mark 0x4000/0x4000 -j DROP',
  )
  const mark = line(
    name,
    'iptables -t mangle -A PREROUTING -j MARK',
    among('--set-mark 0x4000', '--set-xmark 0x4000/0x4000'),
  )
  return fc.tuple(mark, matched).map((deeds) => deeds.flat())
}

/** Rules on marks, in one of the nodes. */
export const vxlanMarks: fc.Arbitrary<Deed> = fc.oneof(...node.map(marked))

export const vxlanEdits: fc.Arbitrary<Deed> = fc.oneof(...node.map(of))
