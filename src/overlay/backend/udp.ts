/**
 * udp: packets of pods in datagrams, by way of a program. The kernel has a TUN and one route to it, for the whole network;
 * which peer has which subnet, the program knows.
 *
 *   flannel0    address: the own subnet's first, /32
 *   route       the whole network, to the device
 *
 * The TUN is persistent, which flannel's is not: while the program is away, its packets wait or are lost, but the device, the
 * route and the connections of pods stay. IPv4 only, as flannel's.
 */
import { RouteProtocol } from '../../kernel/route.ts'
import type { UdpConfig } from '../config.ts'
import { gatewayOf } from '../lease.ts'
import type { Backend } from './backend.ts'
import { leftOut, type Obstacle, publicAddresses } from './peer.ts'

/** IPv4 20, UDP 8. */
const OVERHEAD = 28
const DEVICE = 'flannel0'

/** A lease of udp does not say its backend: one that says another is of a node that listens for something else. */
const obstacle: Obstacle<UdpConfig> = ({ backend }, _its, family) => {
  if (family === 'ipv6') return 'udp carries IPv4 only'
  return backend === '' ? undefined : `its backend is "${backend}" instead of udp`
}

export const udp: Backend<UdpConfig> = {
  check(_uplink, { ipv4 }) {
    if (!ipv4) throw new RangeError('Cannot use the backend udp without IPv4: it carries nothing else')
  },

  mtu: ({ mtu }) => mtu - OVERHEAD,

  device: (family) => (family === 'ipv4' ? DEVICE : undefined),

  attributes: (uplink, { ipv6: _, ...config }) => publicAddresses(uplink, config, ''),

  plan({ uplink, lease, config }) {
    if (!config.ipv4 || !lease.ipv4) return {}
    const { network } = config.ipv4
    const mtu = uplink.mtu - OVERHEAD
    return {
      links: [{ name: DEVICE, kind: 'tun', mtu, birth: { kind: 'tun', name: DEVICE, mtu, tun: { mode: 'tun' } } }],
      addresses: [{ link: DEVICE, prefix: `${gatewayOf(lease.ipv4.subnet)}/32` }],
      linkStates: [{ link: DEVICE, up: true }],
      routes: [{ destination: network, link: DEVICE, scope: 'global', protocol: RouteProtocol.boot }],
      owned: { links: [{ name: DEVICE }], addresses: [{ links: [DEVICE], within: network }] },
    }
  },

  leftOut: (input) => leftOut(input, obstacle),
}
