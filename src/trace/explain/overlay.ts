/** Losses on the way into a tunnel, and out of one. */
import { formatMac } from '../../address/mac.ts'
import { insideVxlan, readHeaders, vniOf } from '../summary.ts'
import { type Explainer, madeBy, ownerOfMac } from './loss.ts'

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
    why: `${headers.source} sends the tunnel's packet to UDP port ${port}, and ${place.name} listens ${
      other ? `with ${other}` : 'with no tunnel at all'
    }: the sending node hears 3/3, the pod nothing. Both ends of a tunnel have one port.`,
    fixes: [],
  }
}

/** VXLAN_VNI_NOT_FOUND. */
export const unknownVni: Explainer = ({ place, frame, network }) => {
  const headers = readHeaders(frame, network)
  const inner = headers && insideVxlan(frame, headers)
  const own = place.kernel.links.list().flatMap(({ name, vxlan }) => (vxlan ? [`${name} has ${vxlan.vni}`] : []))
  return {
    why: `The packet${headers ? ` of ${headers.source}` : ''} is of VNI ${inner === undefined ? '?' : vniOf(frame, inner)}, which no VXLAN device of ${place.name} has: ${own.join(', ') || 'it has none'}.`,
    fixes: [],
  }
}
