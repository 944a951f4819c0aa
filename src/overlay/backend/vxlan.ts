/**
 * vxlan: one device of each family, and for every peer three entries, as flannel's backend makes them.
 *
 *   flannel.1   VNI, port, no learning           its address is the own subnet's first, /32
 *   route       peer's subnet via its first address, onlink
 *   neighbour   that address is at the peer's VTEP MAC
 *   fdb         that MAC is behind the peer's public address
 *
 * Nothing is ever asked for over the overlay: all entries are permanent. IPv6 has a device of its own, `flannel-v6.1`, and
 * /128. With DirectRouting a peer on the uplink's own network has a plain route instead, and no entries.
 */
import type { FdbEntry, Neighbour } from '../../kernel/neighbour.ts'
import { type Route, RouteProtocol } from '../../kernel/route.ts'
import { type DesiredLink, joinStates, type Owned, type State } from '../../reconcile/state.ts'
import type { VxlanConfig } from '../config.ts'
import { type Family, type FamilyLease, gatewayOf } from '../lease.ts'
import type { Uplink } from '../uplink.ts'
import type { Backend, BackendInput, ConfigOf } from './backend.ts'
import {
  type FamilyPlan,
  familiesOf,
  familyPlans,
  isOnLink,
  leftOut,
  type Obstacle,
  otherBackend,
  publicAddresses,
  remembering,
  routeByAddress,
  subnetRoutes,
} from './peer.ts'

/**
 * Outer Ethernet is the link's own; IPv4 20 or IPv6 40, UDP 8, VXLAN 8, and the inner Ethernet header 14. flannel asks for
 * 50 with IPv6 too, which the kernel cuts to 70, and pods are told the wrong one.
 */
const OVERHEAD = { ipv4: 50, ipv6: 70 } as const
const HOST_LENGTH = { ipv4: 32, ipv6: 128 } as const

const obstacle: Obstacle<VxlanConfig> = (peer, { vtep, publicIp }, _family, input) => {
  const other = otherBackend(peer, 'vxlan')
  if (other !== undefined) return other
  const { vni } = input.config.backend
  // Nodes of old flannels do not tell theirs.
  if (vtep && (vtep.vni ?? vni) === vni) return undefined
  if (isDirect(input, publicIp)) return undefined
  return vtep ? `its VNI is ${vtep.vni} instead of ${vni}` : 'its lease has no VTEP MAC'
}

export const vxlan: Backend<VxlanConfig> = {
  check: () => {},

  mtu: (uplink, config) => Math.min(...familiesOf(config).map((family) => deviceMtu(family, uplink, config))),

  device: (family, { backend: { vni } }) => (family === 'ipv4' ? `flannel.${vni}` : `flannel-v6.${vni}`),

  attributes(uplink, config, macs) {
    const { backend, ipv4, ipv6 } = publicAddresses(uplink, config, 'vxlan')
    const { vni } = config.backend
    const vtep = (mac: string | undefined) => (mac === undefined ? {} : { vtep: { vni, mac } })
    return {
      backend,
      ...(ipv4 && { ipv4: { ...ipv4, ...vtep(macs.ipv4) } }),
      ...(ipv6 && { ipv6: { ...ipv6, ...vtep(macs.ipv6) } }),
    }
  },

  plan(input) {
    const states = familyPlans(input, obstacle).map((plan) => planFamily(plan, input))
    return joinStates(...states, { owned: ownedOf(input) })
  },

  leftOut: (input) => leftOut(input, obstacle),
}

/** Also of a family that the node has no lease of. */
function ownedOf({ uplink, config }: BackendInput<VxlanConfig>): Owned {
  const families = familiesOf(config)
  const deviceOf = (family: Family) => vxlan.device(family, config)!
  const devices = families.map(deviceOf)
  const below = config.backend.directRouting ? [uplink.link] : []
  return {
    links: devices.map((name) => ({ name })),
    addresses: families.map((family) => ({ links: [deviceOf(family)], within: config[family]!.network })),
    neighbours: { links: devices },
    fdb: { links: devices },
    routes: subnetRoutes(config, (family) => [deviceOf(family), ...below]),
  }
}

function deviceMtu(family: Family, uplink: Uplink, { backend }: ConfigOf<VxlanConfig>): number {
  return Math.min(uplink.mtu, backend.mtu ?? uplink.mtu) - OVERHEAD[family]
}

function isDirect(input: BackendInput<VxlanConfig>, publicIp: string): boolean {
  return input.config.backend.directRouting && isOnLink(input, publicIp)
}

function planFamily(plan: FamilyPlan, input: BackendInput<VxlanConfig>): State {
  const { family, own, peers } = plan
  const { uplink, config } = input
  const link = vxlan.device(family, config)!
  const { direct = [], tunnelled = [] } = Object.groupBy(peers, ({ publicIp }) =>
    isDirect(input, publicIp) ? 'direct' : 'tunnelled',
  )
  const entries = tunnelled.map((peer) => entriesOf(peer, link))
  return {
    links: [deviceOf(plan, input)],
    // A router's advertisement that comes by the overlay is nobody's to send. Without IPv6 there is no such setting.
    sysctls: [{ key: `net/ipv6/conf/${link}/accept_ra`, value: '0', optional: true }],
    addresses: [{ link, prefix: `${gatewayOf(own.subnet)}/${HOST_LENGTH[family]}` }],
    linkStates: [{ link, up: true }],
    neighbours: entries.map(({ neighbour }) => neighbour),
    fdb: entries.map(({ fdb }) => fdb),
    routes: [...entries.map(({ route }) => route), ...direct.map((peer) => routeByAddress(peer, uplink.link))],
  }
}

const entriesOf = remembering((peer, link) => {
  const [gateway, mac] = [gatewayOf(peer.subnet), macOf(peer)]
  const neighbour: Neighbour = { link, address: gateway, mac, state: 'permanent' }
  const fdb: FdbEntry = { link, mac, owner: 'self', state: 'permanent', destination: peer.publicIp }
  const route: Route = { destination: peer.subnet, gateway, link, onlink: true, protocol: RouteProtocol.boot }
  return { neighbour, fdb, route }
})

/**
 * `local` is the interface's own address: behind address translation the public one is none of this node's, and the kernel
 * would have no source to send from.
 */
function deviceOf({ family, own, address }: FamilyPlan, { uplink, config }: BackendInput<VxlanConfig>): DesiredLink {
  const { vni, port, gbp, learning } = config.backend
  const name = vxlan.device(family, config)!
  const common = {
    name,
    kind: 'vxlan',
    mtu: deviceMtu(family, uplink, config),
    ...(own.vtep && { mac: own.vtep.mac }),
  } as const
  const device = { vni, port: port || KERNEL_PORT, local: address, device: uplink.link, learning }
  return {
    ...common,
    vxlan: { ...device, gbp, remote: null },
    birth: { ...common, vxlan: { ...device, ...(gbp && { gbp }) } },
  }
}

/** vxlan_port, drivers/net/vxlan/vxlan_core.c: what the kernel takes where it is told none. */
const KERNEL_PORT = 8472

/** Of one without, obstacle() has told. */
const macOf = ({ vtep }: FamilyLease) => vtep!.mac
