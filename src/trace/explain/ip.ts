/** Losses in the network layer: settings, routes, sizes. */
import { formatPrefix, hostOf, networkOf, parsePrefix } from '../../address/prefix.ts'
import { insideVxlan, readHeaders } from '../summary.ts'
import {
  covers,
  type Explainer,
  type Explanation,
  farEndOf,
  type Loss,
  madeBy,
  ownerOfAddress,
  type Place,
  routeTo,
  sysctlName,
  type World,
} from './loss.ts'

/** IP_INADDRERRORS: forwarding is off where it came in. */
export const notForwarding: Explainer = ({ place, device, frame, network }) => {
  const headers = readHeaders(frame, network)
  if (!headers) return undefined
  const key = `net/ipv4/conf/${device}/forwarding`
  return {
    why: `${place.name} does not forward: ${sysctlName(key)}=${place.kernel.sysctl.get(key)} (net.ipv4.ip_forward=${place.kernel.sysctl.get(
      'net/ipv4/ip_forward',
    )}), and ${headers.destination} is not its own. No ICMP is sent.`,
    fixes: [{ node: place.name, run: 'sysctl -w net.ipv4.ip_forward=1' }],
  }
}

/** IP_RPFILTER: the answer would leave by another link. */
export const reversePath: Explainer = ({ place, device, frame, network }) => {
  const headers = readHeaders(frame, network)
  if (!headers) return undefined
  const { source } = headers
  const back = routeTo(source, place.kernel)
  const keys = ['all', device].map((name) => `net/ipv4/conf/${name}/rp_filter`)
  const values = keys.map((key) => Number(place.kernel.sysctl.get(key)))
  const strict = Math.max(...values)
  return {
    why: `Source ${source} would be answered by ${back?.link ?? 'nobody: there is no route to it'}, not ${device} (rp_filter=${strict}, the larger of ${keys
      .map((key, i) => `${sysctlName(key)}=${values[i]}`)
      .join(' and ')}).`,
    fixes: keys.flatMap((key, i) => (values[i] ? [{ node: place.name, run: `sysctl -w ${sysctlName(key)}=0` }] : [])),
  }
}

/** IP_LOCAL_SOURCE: it came back to whom it says it is from. */
export const ownSource: Explainer = ({ place, device, frame, network }, world) => {
  const headers = readHeaders(frame, network)
  if (!headers) return undefined
  const { source, destination } = headers
  const gateway = place.kernel.routes.list().find((route) => route.destination === '0.0.0.0/0')?.gateway
  const node = gateway ? ownerOfAddress(gateway, world) : undefined
  return {
    why: `${device} received a packet from ${source}, which is ${place.name}'s own address (accept_local=0): it called itself through a service. It needs masquerade, so that the answer goes through ${node?.name ?? 'the node'}.`,
    fixes: node
      ? [{ node: node.name, run: `iptables -t nat -A POSTROUTING -s ${source}/32 -d ${destination}/32 -j MASQUERADE` }]
      : [],
  }
}

/** IP_INNOROUTES: no route, or one too few on the way here. */
export const noRoute: Explainer = (loss, world) => {
  const { place, frame, network } = loss
  const headers = readHeaders(frame, network)
  if (!headers) return undefined
  const { destination } = headers
  const leak = leakBefore(loss, destination, world)
  if (leak) return leak
  const answer = place.kernel.sysctl.get('net/ipv4/ip_forward') === '1' ? ', and answers 3/0' : ''
  const way = wayTo(destination, place.kernel, world)
  return {
    why: `${place.name} has no route to ${destination}, not even a default one${answer}.${
      way
        ? ` ${way.owner} has ${way.subnet}, behind ${way.gateway}${madeBy(world, place.name, `route ${way.subnet}`)}.`
        : ''
    }`,
    fixes: way ? [{ node: place.name, run: routeBy(way) }] : [],
  }
}

/**
 * A place on the way that knows who has the subnet, lacks the route, and sent the packet by its default route instead: an
 * address of the overlay leaks to the network below.
 */
function leakBefore({ place, client, path }: Loss, destination: string, world: World): Explanation | undefined {
  for (const name of path) {
    const before = world.places.find((each) => each.name === name)
    if (!before || name === place.name || name === client.name) continue
    const route = routeTo(destination, before.kernel)
    const isDefault = before.kernel.routes
      .list({ family: 'ipv4' })
      .every(({ destination: prefix, gateway }) => gateway !== route?.gateway || prefix === '0.0.0.0/0')
    const way = route?.gateway !== undefined && isDefault ? wayTo(destination, before.kernel, world) : undefined
    if (!way) continue
    return {
      why: `${name} has no route for ${way.subnet} of ${way.owner}${madeBy(world, name, `route ${way.subnet}`)}; the longest match is default via ${route!.gateway}: the address ${destination} leaks to the network below, and ${place.name} has no route to it.`,
      fixes: [{ node: name, run: routeBy(way) }],
    }
  }
  return undefined
}

export interface Way {
  readonly owner: string
  readonly subnet: string
  readonly gateway: string
  readonly device: string
  /** The gateway is in no network of the device: `onlink`. */
  readonly isOnlink: boolean
}

/** The command that makes the way the route. */
export const routeBy = ({ subnet, gateway, device, isOnlink }: Way) =>
  `ip route replace ${subnet} via ${gateway} dev ${device}${isOnlink ? ' onlink' : ''}`

/** Who has the subnet of this address, and a neighbour of ours that leads there: a tunnel's, or one on a link of both. */
export function wayTo(address: string, kernel: Place['kernel'], { places }: Pick<World, 'places'>): Way | undefined {
  for (const { name: owner, kernel: other } of places) {
    if (other === kernel) continue
    const found = other.addresses.list().find(({ prefix, link }) => {
      return link !== 'lo' && !prefix.endsWith('/32') && covers(prefix, address) && hostOf(prefix) !== address
    })
    if (!found) continue
    const subnet = formatPrefix(networkOf(parsePrefix(found.prefix)))
    const own = other.addresses.list().flatMap(({ prefix, link }) => (link === 'lo' ? [] : [hostOf(prefix)]))
    const known = kernel.neighbours.list().filter((each) => each.mac !== undefined && own.includes(each.address))
    const next = known.find(({ link }) => kernel.links.get(link)?.kind === 'vxlan') ?? known[0]
    if (next) return { owner, subnet, gateway: next.address, device: next.link, isOnlink: !isNear(kernel, next) }
    for (const gateway of own) {
      const device = kernel.links.list().find(({ name }) => isNear(kernel, { address: gateway, link: name }))?.name
      if (device !== undefined) return { owner, subnet, gateway, device, isOnlink: false }
    }
  }
  return undefined
}

/** Whether the address is in one of the link's own networks. */
export function isNear(
  kernel: Place['kernel'],
  { address, link }: { readonly address: string; readonly link: string },
) {
  return kernel.addresses
    .list()
    .some((each) => each.link === link && !each.prefix.endsWith('/32') && covers(each.prefix, address))
}

const REFUSALS: Readonly<Record<string, { readonly type: string; readonly answer: string }>> = {
  OVL_ROUTE_BLACKHOLE: { type: 'blackhole', answer: 'nobody hears of it' },
  OVL_ROUTE_UNREACHABLE: { type: 'unreachable', answer: 'the sender hears 3/1' },
  OVL_ROUTE_PROHIBIT: { type: 'prohibit', answer: 'the sender hears 3/13' },
}

export const refusingRoute: Explainer = ({ place, reason, frame, network }, world) => {
  const headers = readHeaders(frame, network)
  const refusal = REFUSALS[reason]
  if (!headers || !refusal) return undefined
  const { type, answer } = refusal
  const route = place.kernel.routes.list({ family: 'ipv4' }).find((each) => {
    return each.type === type && covers(each.destination, headers.destination)
  })
  const destination = route?.destination ?? headers.destination
  return {
    why: `${place.name} has the route ${type} ${destination} for ${headers.destination}${madeBy(
      world,
      place.name,
      `route ${type} ${destination}`,
    )}: ${answer}.`,
    fixes: route ? [{ node: place.name, run: `ip route del ${type} ${destination}` }] : [],
  }
}

/** IP_INHDR where the TTL ran out: a way that goes round, or is too long. */
export const ttlExceeded: Explainer = ({ place, kernel, frame, network, path: passed }, world) => {
  const headers = readHeaders(frame, network)
  if (kernel !== 'ip_forward' || !headers) return undefined
  const { destination, ttl } = headers
  // A bridge between two routers is none.
  const path = passed.filter((name) => hasAddress(name, world)).filter((name, i, all) => name !== all[i - 1])
  const first = path.indexOf(place.name)
  const round = path.slice(first, path.indexOf(place.name, first + 1))
  if (first < 0 || !path.includes(place.name, first + 1)) {
    return {
      why: `TTL ${ttl} is used up at ${place.name}: it answers 11/0. The way to ${destination} is longer.`,
      fixes: [],
    }
  }
  const route = coveringRoute(destination, place)
  const crossings = path.length - 1 - first
  const ways = waysOut(round, destination, world)
  if (ways.length > 0) {
    const { owner, subnet } = ways[0]!.way
    return {
      why: `Loop ${round.join(' ⇄ ')} on ${subnet}: ${crossings} crossings until the TTL was used up at ${place.name}, which answers 11/0. ${owner} has ${subnet}, and ${ways
        .map(({ name, gateway }) => `${name} has its route via ${gateway}${madeBy(world, name, `route ${subnet}`)}`)
        .join(', ')}.`,
      fixes: ways.map(({ name, way }) => ({ node: name, run: routeBy(way) })),
    }
  }
  return {
    why: `Loop ${round.join(' ⇄ ')} on ${route?.destination ?? destination}: ${crossings} crossings until the TTL was used up at ${place.name}, which answers 11/0. Each has a route to the other.`,
    fixes: route ? [{ node: place.name, run: `ip route del ${route.destination}` }] : [],
  }
}

function hasAddress(name: string, { places }: World): boolean {
  const addresses = places.find((each) => each.name === name)?.kernel.addresses.list() ?? []
  return addresses.some(({ link, prefix }) => link !== 'lo' && !prefix.includes(':'))
}

/** Of those that a packet goes round between, the ones whose route leads to another than who has the address. */
function waysOut(round: readonly string[], destination: string, world: World) {
  return round.flatMap((name) => {
    const place = world.places.find((each) => each.name === name)
    const gateway = place && routeTo(destination, place.kernel)?.gateway
    const way = place && wayTo(destination, place.kernel, world)
    return way && gateway !== undefined && gateway !== way.gateway ? [{ name, gateway, way }] : []
  })
}

/** The longest of the place's plain routes that covers the address. */
function coveringRoute(address: string, { kernel }: Place) {
  const lengthOf = (prefix: string) => parsePrefix(prefix).length
  const covering = kernel.routes.list({ family: 'ipv4' }).filter(({ destination }) => covers(destination, address))
  return covering.sort((a, b) => lengthOf(b.destination) - lengthOf(a.destination))[0]
}

/** PKT_TOO_BIG: DF, and the next link is smaller. */
export const tooBig: Explainer = ({ place, frame, network, client }) => {
  const headers = readHeaders(frame, network)
  if (!headers) return undefined
  const route = routeTo(headers.destination, place.kernel)
  const mtu = route?.metrics?.mtu ?? (route?.link ? place.kernel.links.get(route.link)?.mtu : undefined)
  const clientLink = routeTo(headers.destination, client.kernel)?.link ?? 'eth0'
  return {
    why: `${headers.length} B with DF do not fit ${mtu} at ${place.name}/${route?.link}: the sender is told so (3/4, mtu ${mtu}).`,
    fixes: mtu ? [{ node: client.name, run: `ip link set ${clientLink} mtu ${mtu}` }] : [],
  }
}

/** OVL_VETH_MTU: the frame is larger than the far end takes, below IP. */
export const farEndTooSmall: Explainer = ({ place, device, frame, network }, world) => {
  const headers = readHeaders(frame, network)
  const link = place.kernel.links.get(device)
  const end = farEndOf(place.name, device, world)
  const far = link && end && end.link.mtu < link.mtu ? { place: end.place.name, ...end.link } : undefined
  if (!headers) return undefined
  const inner = insideVxlan(frame, headers)
  return {
    why: `${frame.length} B leave ${place.name}/${device} and never arrive: the link carries ${
      far ? `${far.mtu} (${far.place}/${far.name})` : 'less'
    }, ${place.name} believes ${link?.mtu}. Nobody is told: the loss is below IP${inner === undefined ? '' : ', and the outer packet has no DF'}.`,
    fixes: far && link ? [{ node: far.place, run: `ip link set ${far.name} mtu ${link.mtu}` }] : [],
  }
}
