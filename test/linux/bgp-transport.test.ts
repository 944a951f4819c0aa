/** The transport of sockets on Linux keeps the contract of test/contract/bgp-transport.ts. */
import { SocketTransport } from '../../src/bgp/socket-transport.ts'
import { systemClock } from '../../src/store/system-clock.ts'
import { bgpTransportContract, HOSTS } from '../contract/bgp-transport.ts'
import { eventually } from '../contract/kernel/case.ts'
import { linuxWorld } from '../contract/linux-world.ts'

bgpTransportContract('linux', async () => {
  const { node: a, container: b, tearDown } = linuxWorld()
  a.links.add({ kind: 'veth', name: 'eth0', peer: { name: 'eth0', namespace: b } })
  for (const { links } of [a, b]) {
    for (const link of ['lo', 'eth0']) links.set(link, { up: true })
  }
  for (const { links } of [a, b]) await eventually(() => links.get('eth0')?.operState === 'up', 'the link is up')
  for (const [{ addresses }, ours] of [
    [a, HOSTS.a],
    [b, HOSTS.b],
  ] as const) {
    ours.forEach(
      (address, i) => void addresses.add({ link: 'eth0', prefix: `${address}/${[24, 64][i]}`, noDad: i === 1 }),
    )
  }
  return {
    a: new SocketTransport(a.sockets, systemClock),
    b: new SocketTransport(b.sockets, systemClock),
    eventually,
    tearDown,
  }
})
