/**
 * What a node's kernel should look like for blocks that are reached in VXLAN (pool/tunnels.ts): a device of each family, and
 *
 *   neighbour   a gateway is at the MAC of the node's VTEP         one for each node
 *   fdb         that MAC is behind the node's own address          one for each node
 *   route       a block via the gateway                            one for each block or borrowed address
 *   address     the node's own, of a pool: tunnel-addresses.ts     one
 *
 * Nothing is ever asked for through the tunnel. flannel's form (overlay/backend/vxlan.ts) has a gateway in each subnet; here all of
 * a block's addresses may be pods'. The gateway is the node's own address; of IPv6, where the kernel refuses one that it knows
 * another way to (net/ipv6/route.c, ip6_route_check_nh_onlink), the link-local address that follows from the MAC.
 *
 * Their metric is above that of pods' own routes, which plugins write with 0, so that an address can move here before the others
 * have let it go; and below that of BGP, which writes nothing for these prefixes (tunnelled-fib.ts).
 */

import { type Family, formatIp } from '../address/ip.ts'
import { parseMac } from '../address/mac.ts'
import { hostOf } from '../address/prefix.ts'
import type { NewAddress } from '../kernel/address.ts'
import type { FdbEntry, Neighbour } from '../kernel/neighbour.ts'
import type { Route } from '../kernel/route.ts'
import { familyOfAddress } from '../pool/keys.ts'
import type { Tunnel } from '../pool/tunnels.ts'
import type { DesiredLink, State } from '../reconcile/state.ts'
import type { OwnAddress, OwnAddresses } from './own-address.ts'
import type { VxlanSettings } from './settings.ts'

/** Beside bgp/speaker-settings.ts' ROUTE_PROTOCOL: not in rt_protos of iproute2. */
export const TUNNEL_PROTOCOL = 0xb7
/** Before bgp/speaker-settings.ts' ROUTE_METRIC. */
const METRIC = 31
/** Outer Ethernet is the link's own; IPv4 20 or IPv6 40, UDP 8, VXLAN 8, and the inner Ethernet header 14. */
const OVERHEAD = { ipv4: 50, ipv6: 70 } as const
const FAMILIES = ['ipv4', 'ipv6'] as const

/** `overlab.4096`, `overlab-v6.4096`. */
export function deviceOf(family: Family, { vni }: VxlanSettings): string {
  return family === 'ipv4' ? `overlab.${vni}` : `overlab-v6.${vni}`
}

export interface TunnelInput {
  /** Of pools that tunnel. */
  readonly families: readonly Family[]
  readonly own: OwnAddresses
  /** Of all of the node's devices. */
  readonly mac: string
  readonly vxlan: VxlanSettings
  readonly tunnels: readonly Tunnel[]
  /** The node's own on its devices, without prefix lengths. */
  readonly addresses: readonly string[]
}

export function tunnelState({ own, mac, vxlan, tunnels, addresses, ...input }: TunnelInput): State {
  const families = input.families.filter((family) => own[family])
  const links = families.map((family) => deviceOf(family, vxlan))
  const ends = new Map(tunnels.map((tunnel) => [`${tunnel.family} ${tunnel.node}`, tunnel]))
  return {
    links: families.map((family) => device(family, own[family]!, mac, vxlan)),
    // A router's advertisement that comes by the tunnel is nobody's to send. Without IPv6 there is no such setting.
    sysctls: links.map((link) => ({ key: `net/ipv6/conf/${link}/accept_ra`, value: '0', optional: true })),
    addresses: addresses.flatMap((address) => addressOn(address, families, vxlan)),
    linkStates: links.map((link) => ({ link, up: true })),
    neighbours: [...ends.values()].map((end) => neighbourOf(end, vxlan)),
    fdb: [...ends.values()].map((end) => fdbOf(end, vxlan)),
    routes: tunnels.map((tunnel) => routeOf(tunnel, vxlan)),
    owned: ownedTunnels(vxlan),
  }
}

/** Nothing goes by tunnels: what was there for them goes. */
export function noTunnels(vxlan: VxlanSettings): State {
  return { owned: ownedTunnels(vxlan) }
}

function ownedTunnels(vxlan: VxlanSettings): NonNullable<State['owned']> {
  const links = FAMILIES.map((family) => deviceOf(family, vxlan))
  return {
    links: links.map((name) => ({ name })),
    addresses: [{ links }],
    neighbours: { links },
    fdb: { links },
    routes: [{ protocol: TUNNEL_PROTOCOL }],
  }
}

function device(family: Family, { address, link, mtu }: OwnAddress, mac: string, vxlan: VxlanSettings): DesiredLink {
  const { vni, port } = vxlan
  const common = {
    name: deviceOf(family, vxlan),
    kind: 'vxlan',
    mac,
    mtu: Math.min(mtu, vxlan.mtu ?? mtu) - OVERHEAD[family],
  } as const
  const below = { vni, port, local: hostOf(address), device: link, learning: false }
  return { ...common, vxlan: { ...below, remote: null }, birth: { ...common, vxlan: below } }
}

/** None where there is no device of its family. */
function addressOn(address: string, families: readonly Family[], vxlan: VxlanSettings): NewAddress[] {
  const family = familyOfAddress(address)
  const prefix = `${address}/${family === 'ipv4' ? 32 : 128}`
  return families.includes(family) ? [{ link: deviceOf(family, vxlan), prefix }] : []
}

function gatewayOf({ family, publicIp, vtep }: Tunnel): string {
  return family === 'ipv4' ? publicIp : linkLocalOf(vtep.mac)
}

/** RFC 4291 appendix A. */
function linkLocalOf(mac: string): string {
  const [first, ...rest] = parseMac(mac)
  const identifier = [first! ^ 0x02, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)]
  return formatIp(Uint8Array.from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...identifier]))
}

function neighbourOf(tunnel: Tunnel, vxlan: VxlanSettings): Neighbour {
  const { family, vtep } = tunnel
  return { link: deviceOf(family, vxlan), address: gatewayOf(tunnel), mac: vtep.mac, state: 'permanent' }
}

function fdbOf({ family, publicIp, vtep }: Tunnel, vxlan: VxlanSettings): FdbEntry {
  const link = deviceOf(family, vxlan)
  return { link, mac: vtep.mac, owner: 'self', state: 'permanent', destination: publicIp }
}

function routeOf(tunnel: Tunnel, vxlan: VxlanSettings): Route {
  const { family, subnet: destination } = tunnel
  const hop = { gateway: gatewayOf(tunnel), link: deviceOf(family, vxlan), ...(family === 'ipv4' && { onlink: true }) }
  return { destination, ...hop, protocol: TUNNEL_PROTOCOL, metric: METRIC }
}
