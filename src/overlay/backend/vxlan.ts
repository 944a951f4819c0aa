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
    const { subnet, publicIp, vtep } = uplink.lease.ipv4!
    const name = `flannel.${options.vni}`
    const mtu = vxlan.mtu(uplink, options)
    const device = {
      vni: options.vni,
      port: options.port,
      local: publicIp,
      device: uplink.link,
      learning: false,
    }
    const birth = { kind: 'vxlan', name, mtu, vxlan: device, ...(vtep && { mac: vtep.mac }) } as const
    for (const { node, ipv4 } of peers) {
      if (!ipv4?.vtep) throw new RangeError(`Cannot reach node "${node}" by vxlan: its lease has no VTEP MAC`)
    }
    return {
      links: [{ name, kind: 'vxlan', mtu, birth, vxlan: device, ...(vtep && { mac: vtep.mac }) }],
      addresses: [{ link: name, prefix: `${gatewayOf(subnet)}/32` }],
      linkStates: [{ link: name, up: true }],
      neighbours: peers.map((peer) => ({
        link: name,
        address: gatewayOf(peer.ipv4!.subnet),
        mac: peer.ipv4!.vtep!.mac,
        state: 'permanent' as const,
      })),
      fdb: peers.map((peer) => ({
        link: name,
        mac: peer.ipv4!.vtep!.mac,
        owner: 'self' as const,
        state: 'permanent' as const,
        destination: peer.ipv4!.publicIp,
      })),
      routes: peers.map((peer) => ({
        destination: peer.ipv4!.subnet,
        gateway: gatewayOf(peer.ipv4!.subnet),
        link: name,
        onlink: true,
        protocol: RouteProtocol.static,
      })),
      owned: { addresses: { links: [name] }, neighbours: { links: [name] }, fdb: { links: [name] } },
    }
  },
}
