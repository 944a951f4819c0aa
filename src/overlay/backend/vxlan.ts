/**
 * vxlan: one device on every node, and for every peer three entries, as flannel's backend makes them.
 *
 *   flannel.1   VNI, port, no learning           its address is the own subnet's first, /32
 *   route       peer's subnet via its first address, onlink
 *   neighbour   that address is at the peer's VTEP MAC
 *   fdb         that MAC is behind the peer's public address
 *
 * Nothing is ever asked for over the overlay: all entries are permanent.
 */
import { RouteProtocol } from '../../kernel/route.ts'
import { gatewayOf } from '../lease.ts'
import type { Backend } from './backend.ts'

/** Outer Ethernet is the link's own; IPv4 20, UDP 8, VXLAN 8, and the inner Ethernet header 14. */
const OVERHEAD = 50

export const vxlan: Backend = {
  mtu: ({ mtu }, options) => Math.min(mtu, options.mtu ?? mtu) - OVERHEAD,

  plan(uplink, peers, options) {
    const { lease } = uplink
    const name = `flannel.${options.vni}`
    const mtu = vxlan.mtu(uplink, options)
    const device = {
      vni: options.vni,
      port: options.port,
      local: lease.publicIp,
      device: uplink.link,
      learning: false,
    }
    const birth = { kind: 'vxlan', name, mtu, vxlan: device, ...(lease.vtepMac && { mac: lease.vtepMac }) } as const
    for (const { node, vtepMac } of peers) {
      if (!vtepMac) throw new RangeError(`Cannot reach node "${node}" by vxlan: its lease has no VTEP MAC`)
    }
    return {
      links: [{ name, kind: 'vxlan', mtu, birth, vxlan: device, ...(lease.vtepMac && { mac: lease.vtepMac }) }],
      addresses: [{ link: name, prefix: `${gatewayOf(lease)}/32` }],
      linkStates: [{ link: name, up: true }],
      neighbours: peers.map((peer) => ({
        link: name,
        address: gatewayOf(peer),
        mac: peer.vtepMac!,
        state: 'permanent' as const,
      })),
      fdb: peers.map((peer) => ({
        link: name,
        mac: peer.vtepMac!,
        owner: 'self' as const,
        state: 'permanent' as const,
        destination: peer.publicIp,
      })),
      routes: peers.map((peer) => ({
        destination: peer.subnet,
        gateway: gatewayOf(peer),
        link: name,
        onlink: true,
        protocol: RouteProtocol.static,
      })),
      owned: { addresses: { links: [name] }, neighbours: { links: [name] }, fdb: { links: [name] } },
    }
  },
}
