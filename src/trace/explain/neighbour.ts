/** Losses for want of a neighbour, and for a neighbour that is another by now. */
import { formatMac } from '../../address/mac.ts'
import { formatPrefix, hostOf, networkOf, parsePrefix } from '../../address/prefix.ts'
import { readHeaders } from '../summary.ts'
import { isNear, routeBy, wayTo } from './ip.ts'
import {
  covers,
  type Explainer,
  type Explanation,
  type Fix,
  farEndOf,
  isPair,
  madeBy,
  ownerOfAddress,
  ownersOfAddress,
  type Place,
  routeTo,
  sysctlName,
  type World,
} from './loss.ts'

/** NEIGH_FAILED on a tunnel: ARP went nowhere. Elsewhere: nobody answered, or nobody in another's place. */
export const neighbourFailed: Explainer = ({ place, device, frame, network }, world) => {
  const headers = readHeaders(frame, network)
  if (!headers) return undefined
  const route = routeTo(headers.destination, place.kernel)
  const next = route?.gateway ?? headers.destination
  const link = place.kernel.links.get(device)
  if (link?.kind !== 'vxlan') {
    const owner = ownerOfAddress(next, world)
    const other = owner
      ? (behindAnother(place, device, next, owner, world) ??
        outOfReach(place, device, headers.destination, next, owner, world))
      : silentProxy(place.name, device, next, world)
    if (other) return other
    return {
      why: `${next} did not answer ${device}'s ARP in 3 tries${
        owner ? `, although ${owner.name} has the address` : ': no place of this lab has the address'
      }. The sender hears 3/1 after 3.06 s.`,
      fixes: [],
    }
  }
  const entry = ownerOfAddress(next, world)
  const far = entry?.kernel.links.list().find(({ kind, vxlan }) => kind === 'vxlan' && vxlan?.vni === link.vxlan?.vni)
  return {
    why: `${device} cannot resolve ${next}: no permanent neighbour${
      far ? `${madeBy(world, place.name, `neigh ${next}`)}, while ${entry!.name}'s VTEP is ${far.mac}` : ''
    }, and ARP never crosses a VXLAN without a default entry in its FDB. The sender hears 3/1 after 3.06 s.`,
    fixes: far
      ? [{ node: place.name, run: `ip neigh replace ${next} lladdr ${far.mac} dev ${device} nud permanent` }]
      : [],
  }
}

/**
 * Nobody has the address, and the other end of the wire would answer in its place if it were told to: the link-local gateway
 * of a pod, proxy_arp(7).
 */
function silentProxy(name: string, device: string, next: string, world: World): Explanation | undefined {
  const far = farEndOf(name, device, world)
  const key = `net/ipv4/conf/${far?.link.name}/proxy_arp`
  if (!far || far.link.master !== undefined || far.place.kernel.sysctl.get(key) !== '0') return undefined
  return {
    why: `${name} asks for ${next}, which nobody has; ${far.place.name}/${far.link.name} could answer in its place and has proxy_arp=0: nobody answers.`,
    fixes: [{ node: far.place.name, run: `sysctl -w ${sysctlName(key)}=1` }],
  }
}

/** The address is a pod's of a node that has the same range: two leases of one range, or a cloned node. */
function behindAnother(
  place: Place,
  device: string,
  next: string,
  owner: Place,
  world: World,
): Explanation | undefined {
  const own = place.kernel.addresses.list().find(({ link, prefix }) => link === device && covers(prefix, next))?.prefix
  const far =
    own && world.places.find((each) => each !== place && hasRange(each.kernel, own) && isGatewayOf(owner, each))
  if (!far) return undefined
  const range = formatPrefix(networkOf(parsePrefix(own)))
  const here = place.kernel.addresses.list().map(({ prefix }) => hostOf(prefix))
  const misled = world.places.filter(({ kernel }) => {
    const route = kernel.routes.list({ family: 'ipv4' }).find(({ destination }) => destination === range)
    return route?.gateway !== undefined && here.includes(route.gateway)
  })
  const ways = [...misled, place].flatMap(({ name, kernel }) => {
    const way = wayTo(next, kernel, { places: [far] })
    return way ? [{ node: name, run: routeBy(way) }] : []
  })
  return {
    why: `${far.name} and ${place.name} both have ${range} (${device} ${own}): ${owner.name}, which has ${next}, is on ${far.name}, and the packet came to ${place.name}. A range is one node's.`,
    fixes: [{ node: place.name, run: `ip addr del ${own} dev ${device}` }, ...ways],
  }
}

const hasRange = (kernel: Place['kernel'], range: string) =>
  kernel.addresses.list().some(({ prefix, link }) => prefix === range && kernel.links.get(link)?.kind === 'bridge')

/** Whether one of the node's own veth pairs leads to the place. */
function isGatewayOf(place: Place, node: Place): boolean {
  const near = node.kernel.links.list()
  return place.kernel.links
    .list()
    .some((link) => near.some((each) => isPair({ place, link }, { place: node, link: each })))
}

/** Who has the address is on another network: a route that says `onlink`, as host-gw's would have to. */
function outOfReach(place: Place, device: string, destination: string, next: string, owner: Place, world: World) {
  const own = place.kernel.addresses.list().filter(({ link, prefix }) => link === device && !prefix.includes(':'))
  if (own.length === 0 || isNear(place.kernel, { address: next, link: device })) return undefined
  const networks = own.map(({ prefix }) => formatPrefix(networkOf(parsePrefix(prefix)))).join(', ')
  const way = wayTo(destination, place.kernel, world)
  return {
    why: `${owner.name} is not on the network of ${place.name}/${device}: ${next} is not in ${networks}, and no ARP goes through a router. A route straight to a node (host-gw) needs one network, a tunnel does not${madeBy(world, place.name, `route ${way?.subnet}`)}.`,
    fixes: way && way.gateway !== next ? [{ node: place.name, run: routeBy(way) }] : [],
  }
}

/** NO_SOCKET where several have the address: it came to another than was meant. */
export const sharedAddress: Explainer = ({ place, frame, network }, world) => {
  const headers = readHeaders(frame, network)
  const why = headers && sharedBy(headers.destination, world)
  if (!why) return undefined
  const { destination } = headers
  const given = world.givenTo?.(destination)
  const said = `${why} It came to ${place.name}, and no socket waits for it there.`
  if (given === undefined || given === place.name) return { why: said, fixes: [] }
  return {
    why: `${said} ${given} was given it when it was attached, ${place.name} was not.`,
    fixes: unshare(destination, place, world),
  }
}

/** The address is taken from the place, and from whoever has heard that it is there. */
function unshare(address: string, place: Place, { places }: World): Fix[] {
  const taken = place.kernel.addresses.list().filter(({ prefix }) => hostOf(prefix) === address)
  const macs = place.kernel.links.list().flatMap(({ mac }) => (mac ? [mac] : []))
  return [
    ...taken.map(({ prefix, link }) => ({ node: place.name, run: `ip addr del ${prefix} dev ${link}` })),
    ...places.flatMap(({ name: node, kernel }) =>
      kernel.neighbours
        .list()
        .filter((each) => each.address === address && each.mac !== undefined && macs.includes(each.mac))
        .map(({ link }) => ({ node, run: `ip neigh del ${address} dev ${link}` })),
    ),
  ]
}

/** `Two places have 10.244.0.3: p2 and p7 …`; undefined where only one has it. */
export function sharedBy(address: string, world: World): string | undefined {
  const owners = ownersOfAddress(address, world).map(({ name }) => name)
  if (owners.length < 2 || address.startsWith('127.')) return undefined
  return `${owners.length} places have ${address}: ${owners.join(' and ')}. Whoever answers ARP first gets the packets.`
}

/** OTHERHOST: the frame is for another MAC. Behind a tunnel, the sender holds an old lease. */
export const notForUs: Explainer = ({ place, device, frame, network }, world) => {
  const mac = formatMac(frame.subarray(0, 6))
  const link = place.kernel.links.get(device)
  if (!link) return undefined
  const headers = readHeaders(frame, network)
  const sender = headers && senderOf(mac, formatMac(frame.subarray(6, 12)), world)
  const isTunnel = link.kind === 'vxlan'
  const kind = isTunnel ? 'inner MAC' : 'MAC'
  const fixes = sender
    ? isTunnel
      ? tunnelFixes(sender.node, sender.device, sender.address, link.mac, link.vxlan?.local)
      : [{ node: sender.node, run: `ip neigh del ${sender.address} dev ${sender.device}` }]
    : []
  const stale = sender
    ? ` ${sender.node} has ${sender.address} at the old ${mac}${
        isTunnel
          ? ''
          : ` (neighbour ${sender.state}): ${
              sender.state === 'permanent'
                ? 'it never asks again'
                : 'it heals when the neighbour is asked for again, at once with a gratuitous ARP'
            }`
      }`
    : ''
  return {
    why: `${place.name} received it${isTunnel ? ' and decapsulated it' : ''}, then ignored it: the ${kind} ${mac} is not ${
      place.name
    }'s, ${device} has ${link.mac}.${stale}${
      sender ? madeBy(world, sender.node, `neigh ${sender.address} lladdr ${mac}`) : ''
    }${sender ? '.' : ''}`,
    fixes,
  }
}

function tunnelFixes(node: string, device: string, address: string, mac: string, remote: string | undefined) {
  return [
    { node, run: `ip neigh replace ${address} lladdr ${mac} dev ${device} nud permanent` },
    ...(remote ? [{ node, run: `bridge fdb replace ${mac} dev ${device} dst ${remote} self permanent` }] : []),
  ]
}

/** Who thinks that a neighbour has this MAC: of several, the one whose own MAC the frame is from. */
function senderOf(mac: string, source: string, { places }: World) {
  const found = places.flatMap(({ name: node, kernel }) =>
    kernel.neighbours
      .list()
      .filter((each) => each.mac === mac)
      .map(({ link: device, address, state }) => ({
        node,
        device,
        address,
        state,
        own: kernel.links.get(device)?.mac,
      })),
  )
  return found.find(({ own }) => own === source) ?? found[0]
}
