/** Losses on a bridge. */
import { formatMac } from '../../address/mac.ts'
import { readHeaders } from '../summary.ts'
import { type Explainer, madeBy, ownerOfAddress, ownerOfMac } from './loss.ts'

/** OVL_BRIDGE_HAIRPIN_OFF: the frame would go back out of the port that it came in by. */
export const hairpinOff: Explainer = ({ place, device }, world) => ({
  why: `The bridge of ${place.name} does not send a frame back out of the port it came from: ${device} has hairpin_mode 0${madeBy(
    world,
    place.name,
    `link ${device}`,
  )}.`,
  fixes: [{ node: place.name, run: `bridge link set dev ${device} hairpin on` }],
})

/** OVL_BRIDGE_ISOLATED: both ports are isolated. */
export const isolated: Explainer = ({ place, device, frame }, world) => {
  const to = ownerOfMac(formatMac(frame.subarray(0, 6)), world)
  return {
    why: `${device} of ${place.name} is an isolated port, and so is the one ${to ? `of ${to.place.name}` : 'it goes to'}: the bridge joins no two of them.`,
    fixes: [{ node: place.name, run: `bridge link set dev ${device} isolated off` }],
  }
}

/** OVL_BRIDGE_MTU: larger than the port it leaves by. */
export const portTooSmall: Explainer = ({ place, frame, network }) => {
  const headers = readHeaders(frame, network)
  return {
    why: `${headers?.length ?? frame.length} B do not fit the bridge port of ${place.name} that it leaves by: a bridge drops without a word.`,
    fixes: [],
  }
}

/**
 * NO_SOCKET for an answer that comes from another address than the one that was asked: a service on the same node, whose
 * answer took the short way through the bridge, past the connection that would have turned its address back.
 */
export const stranger: Explainer = ({ place, frame, network, client }, world) => {
  const headers = readHeaders(frame, network)
  if (!headers || place.name !== client.name) return undefined
  const { source, destination } = headers
  const gateway = place.kernel.routes.list().find((route) => route.destination === '0.0.0.0/0')?.gateway
  const node = gateway ? ownerOfAddress(gateway, world) : undefined
  const key = 'net/bridge/bridge-nf-call-iptables'
  if (node?.kernel.sysctl.get(key) !== '0') return undefined
  return {
    why: `The answer ${source} → ${destination} goes through the bridge of ${node.name} without conntrack (net.bridge.bridge-nf-call-iptables=0): ${place.name} gets a SYN-ACK from a stranger and resets.`,
    fixes: [{ node: node.name, run: 'sysctl -w net.bridge.bridge-nf-call-iptables=1' }],
  }
}
