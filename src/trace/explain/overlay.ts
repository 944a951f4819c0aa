/** Losses on the way into a tunnel, and out of one. */
import { formatMac } from '../../address/mac.ts'
import { insideVxlan, readHeaders } from '../summary.ts'
import { type Explainer, madeBy, ownerOfAddress, ownerOfMac, routeTo } from './loss.ts'

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

/** NEIGH_FAILED on a tunnel: ARP went nowhere. Elsewhere: nobody answered. */
export const neighbourFailed: Explainer = ({ place, device, frame, network }, world) => {
  const headers = readHeaders(frame, network)
  if (!headers) return undefined
  const route = routeTo(headers.destination, place.kernel)
  const next = route?.gateway ?? headers.destination
  const link = place.kernel.links.get(device)
  if (link?.kind !== 'vxlan') {
    const owner = ownerOfAddress(next, world)
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
      far ? ` (${entry!.name}'s VTEP is ${far.mac})` : ''
    }, and ARP never crosses a VXLAN without a default entry in its FDB. The sender hears 3/1 after 3.06 s.`,
    fixes: far
      ? [{ node: place.name, run: `ip neigh replace ${next} lladdr ${far.mac} dev ${device} nud permanent` }]
      : [],
  }
}

/** OTHERHOST: the frame is for another MAC. Behind a tunnel, the sender holds an old lease. */
export const notForUs: Explainer = ({ place, device, frame, network }, world) => {
  const mac = formatMac(frame.subarray(0, 6))
  const link = place.kernel.links.get(device)
  if (!link) return undefined
  const headers = readHeaders(frame, network)
  const sender = headers && senderOf(mac, world)
  const isTunnel = link.kind === 'vxlan'
  const kind = isTunnel ? 'inner MAC' : 'MAC'
  const fixes = sender
    ? isTunnel
      ? tunnelFixes(sender.node, sender.device, sender.address, link.mac, link.vxlan?.local)
      : [{ node: sender.node, run: `ip neigh flush dev ${sender.device} to ${sender.address}` }]
    : []
  const stale = sender ? ` ${sender.node} has ${sender.address} at the old ${mac}` : ''
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

/** Who thinks that a neighbour has this MAC. */
function senderOf(mac: string, { places }: Parameters<Explainer>[1]) {
  for (const { name: node, kernel } of places) {
    const entry = kernel.neighbours.list().find((each) => each.mac === mac)
    if (entry) return { node, device: entry.link, address: entry.address }
  }
  return undefined
}

/** NO_SOCKET for a VXLAN packet: nothing listens at the tunnel's port. */
export const tunnelPortClosed: Explainer = ({ place, frame, network }) => {
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
  const other = devices.map(({ name, vxlan }) => `${name} at ${vxlan?.port}`).join(', ')
  return {
    why: `The tunnel's packet goes to UDP port ${port}, and ${place.name} listens ${other || 'at none'}: the sending node hears 3/3, the pod nothing.`,
    fixes: [],
  }
}

/** VXLAN_VNI_NOT_FOUND. */
export const unknownVni: Explainer = ({ place }) => ({
  why: `No VXLAN device of ${place.name} has this VNI: ${place.kernel.links
    .list()
    .flatMap(({ name, vxlan }) => (vxlan ? [`${name} has ${vxlan.vni}`] : []))
    .join(', ')}.`,
  fixes: [],
})
