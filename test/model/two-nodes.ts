/** The rig T2 of the recorded walks: two nodes with a bridge and a VXLAN device each, three pods. shared with golden/README.md's table. */
import { World } from './world.ts'

const POD_MTU = 1450

/** n1 and n2 by eth0; pods p1 and p2 behind n1's cni0, p3 behind n2's. Everything that does not depend on traffic is set. */
export function twoNodes(): World {
  const world = new World()
  world.pair('n1:eth0', '02:00:00:00:01:01', 'n2:eth0', '02:00:00:00:02:01')
  for (const own of [1, 2]) {
    const other = 3 - own
    const node = world.in(`n${own}`)
    node.sysctl.set('net/ipv4/ip_forward', '1')
    node.addresses.add({ link: 'eth0', prefix: `192.168.56.1${own}/24` })
    const vtep = (which: number) => `02:f1:00:00:0${which}:01`
    node.links.add({
      kind: 'vxlan',
      name: 'flannel.1',
      mac: vtep(own),
      vxlan: { vni: 1, device: 'eth0', local: `192.168.56.1${own}`, port: 8472, learning: false },
      up: true,
    })
    node.addresses.add({ link: 'flannel.1', prefix: `10.244.${own - 1}.0/32` })
    node.links.add({ kind: 'bridge', name: 'cni0', mac: `02:0b:00:00:0${own}:00`, mtu: POD_MTU, up: true })
    node.addresses.add({ link: 'cni0', prefix: `10.244.${own - 1}.1/24` })
    const gateway = `10.244.${other - 1}.0`
    node.neighbours.add({ link: 'flannel.1', address: gateway, mac: vtep(other) })
    node.fdb.add({ link: 'flannel.1', mac: vtep(other), owner: 'self', destination: `192.168.56.1${other}` })
    node.routes.add({ destination: `10.244.${other - 1}.0/24`, gateway, link: 'flannel.1', onlink: true })
  }
  for (const [pod, own, last, port] of [
    ['p1', 1, 2, 'veth1'],
    ['p2', 1, 3, 'veth2'],
    ['p3', 2, 2, 'veth3'],
  ] as const) {
    const subnet = own - 1
    world.pair(
      `${pod}:eth0`,
      `02:00:0a:f4:0${subnet}:0${last}`,
      `n${own}:${port}`,
      `02:01:00:00:0${subnet}:0${last}`,
      POD_MTU,
    )
    world.in(`n${own}`).links.set(port, { master: 'cni0', port: { hairpin: true } })
    world.in(pod).addresses.add({ link: 'eth0', prefix: `10.244.${subnet}.${last}/24` })
    world.in(pod).routes.add({ destination: '0.0.0.0/0', gateway: `10.244.${subnet}.1` })
  }
  world.take()
  world.takeDrops()
  return world
}
