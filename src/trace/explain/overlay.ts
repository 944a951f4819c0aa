/** Losses on the way into a tunnel, and out of one. */
import { formatMac } from '../../address/mac.ts'
import { hostOf } from '../../address/prefix.ts'
import { type Headers, insideVxlan, readHeaders, vniOf } from '../summary.ts'
import {
  type Explainer,
  type Fix,
  madeBy,
  ownerOfAddress,
  ownerOfMac,
  ownersOfAddress,
  type Place,
  routeTo,
  type World,
} from './loss.ts'

/** NO_TX_TARGET: the device knows a MAC, and not where it is. */
export const noTunnelTarget: Explainer = ({ place, device, frame }, world) => {
  const mac = formatMac(frame.subarray(0, 6))
  const owner = ownerOfMac(mac, world)
  const remote = owner?.link.vxlan?.local
  const fix = remote && `bridge fdb append ${mac} dev ${device} dst ${remote} self permanent`
  const of = owner ? ` of ${owner.place.name}` : ''
  return {
    why: `${device} has the MAC${of} but not its address: no FDB entry for ${mac}, and no default entry 00:00:00:00:00:00${
      remote ? `; it is behind ${remote}` : ''
    }${madeBy(world, place.name, `fdb ${mac} dst ${remote}`)}.`,
    fixes: fix ? [{ node: place.name, run: fix }] : [],
  }
}

/** NO_SOCKET for a VXLAN packet: nothing listens at the tunnel's port. */
export const tunnelPortClosed: Explainer = ({ place, frame, network }, world) => {
  const headers = readHeaders(frame, network)
  if (!headers || insideVxlan(frame, headers) === undefined) return undefined
  const port = headers.destinationPort
  const devices = place.kernel.links.list().filter(({ kind }) => kind === 'vxlan')
  const same = devices.find(({ vxlan }) => vxlan?.port === port)
  if (same && !same.up) {
    return {
      why: `${same.name} of ${place.name} is down, so nothing listens at UDP port ${port}: the sending node hears 3/3, the pod nothing.`,
      fixes: [{ node: place.name, run: `ip link set ${same.name} up` }],
    }
  }
  const sender = senderOf(place, port === undefined ? {} : { port }, headers, world)
  if (sender) {
    return {
      why: `${sender.node} sends the tunnel's packet to UDP port ${port}, as ${sender.device} has it for ${sender.mac} alone${sender.owner}; ${place.name} listens with ${sender.far.name} at ${sender.far.vxlan?.port}: the sending node hears 3/3, the pod nothing.`,
      fixes: sender.fixes,
    }
  }
  const other = devices.map(({ name, vxlan }) => `${name} at ${vxlan?.port}`).join(', ')
  return {
    why: `${headers.source} sends the tunnel's packet to UDP port ${port}, and ${place.name} listens ${
      other ? `with ${other}` : 'with no tunnel at all'
    }: the sending node hears 3/3, the pod nothing. Both ends of a tunnel have one port.`,
    fixes: [],
  }
}

/** VXLAN_VNI_NOT_FOUND. */
export const unknownVni: Explainer = ({ place, frame, network }, world) => {
  const headers = readHeaders(frame, network)
  const inner = headers && insideVxlan(frame, headers)
  const sender = inner === undefined ? undefined : senderOf(place, { vni: vniOf(frame, inner) }, headers, world)
  if (sender && inner !== undefined) {
    return {
      why: `${sender.node} sends with VNI ${vniOf(frame, inner)}, as ${sender.device} has it for ${sender.mac} alone${sender.owner}; ${sender.far.name} of ${place.name} has VNI ${sender.far.vxlan?.vni}, and no other device there takes it.`,
      fixes: sender.fixes,
    }
  }
  const own = place.kernel.links.list().flatMap(({ name, vxlan }) => (vxlan ? [`${name} has ${vxlan.vni}`] : []))
  return {
    why: `The packet${headers ? ` of ${headers.source}` : ''} is of VNI ${inner === undefined ? '?' : vniOf(frame, inner)}, which no VXLAN device of ${place.name} has: ${own.join(', ') || 'it has none'}.`,
    fixes: [],
  }
}

/**
 * IP_INHDR of a packet that came back to its own node: the tunnel's far end is an address of the node itself, which others have,
 * too. All of them announce a link whose address is the same everywhere, such as a virtual machine's NAT card.
 */
export const sentToItself: Explainer = ({ place, frame, network }, world) => {
  const { kernel } = place
  const headers = readHeaders(frame, network)
  const route = headers && routeTo(headers.destination, kernel)
  const next = kernel.neighbours.list().find((each) => each.link === route?.link && each.address === route?.gateway)
  const peer = next?.mac === undefined ? undefined : ownerOfMac(next.mac, world)
  if (next?.mac === undefined || !peer || kernel.links.get(next.link)?.kind !== 'vxlan') return undefined
  const own = kernel.addresses.list()
  const entry = kernel.fdb.list({ link: next.link }).find((each) => each.mac === next.mac)
  const link = own.find(({ prefix }) => hostOf(prefix) === entry?.destination)?.link
  if (entry?.destination === undefined || link === undefined) return undefined
  const { mac, destination } = entry
  const sharing = ownersOfAddress(destination, world).map(({ name }) => name)
  const origin = madeBy(world, place.name, `fdb ${mac} dst ${destination}`)
  return {
    why: `${place.name} sends to itself what is for ${peer.place.name}: ${next.link} has ${mac} at ${destination}${origin}, which is the address of ${link} on ${sharing.join(', ')} alike, as that of a virtual machine's NAT card. Choose the link that joins the nodes: overlab daemon --iface.`,
    fixes: world.places.flatMap((each) => renamed(each, destination, world)),
  }
}

/** The place's FDB entries for VTEPs at this address, at those that they have. */
function renamed({ name: node, kernel }: Place, destination: string, world: World): Fix[] {
  return kernel.fdb.list().flatMap((entry) => {
    const remote = ownerOfMac(entry.mac, world)?.link.vxlan?.local
    if (entry.owner !== 'self' || entry.destination !== destination || remote === undefined) return []
    return [{ node, run: `bridge fdb replace ${entry.mac} dev ${entry.link} dst ${remote} self permanent` }]
  })
}

/** Whose FDB entry has a port or VNI of its own for the place, other than the devices at both ends have. */
function senderOf(
  place: Place,
  { port, vni }: { readonly port?: number; readonly vni?: number },
  headers: Headers | undefined,
  world: World,
) {
  const sender = headers && ownerOfAddress(headers.source, world)
  if (!sender) return undefined
  for (const { name: device, vxlan: near } of sender.kernel.links.list()) {
    if (!near) continue
    for (const entry of sender.kernel.fdb.list({ link: device })) {
      const isMeant = port === undefined ? entry.vni === vni : entry.port === port
      const far = isMeant && entry.destination === headers.destination && deviceLike(place, near)
      if (!far) continue
      const { mac, destination } = entry
      const run = `bridge fdb replace ${mac} dev ${device} dst ${destination} self permanent`
      const fixes = [{ node: sender.name, run }]
      const owner = madeBy(world, sender.name, `fdb ${mac} dst ${destination}`)
      return { node: sender.name, device, mac, far, owner, fixes }
    }
  }
  return undefined
}

const deviceLike = ({ kernel }: Place, near: { readonly vni: number; readonly port?: number }) =>
  kernel.links.list().find(({ vxlan }) => vxlan?.vni === near.vni && vxlan.port === near.port)
