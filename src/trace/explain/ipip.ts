/** Losses on the way into an IPIP tunnel, and out of one. */

import { readHeaders } from '../summary.ts'
import type { Explainer, Loss } from './loss.ts'

const optionsOf = ({ place, device }: Loss) => place.kernel.links.get(device)?.ipip

/** OVL_IPIP_PROTOCOL */
export const notIpv4: Explainer = ({ device }) => ({
  why: `${device} is an IPIP device: it carries IPv4 packets, and this is none.`,
  fixes: [],
})

/** OVL_IPIP_NO_ROUTE, OVL_IPIP_LOOP: where the outer packet would go. */
export const noWayOut: Explainer = (loss) => {
  const remote = optionsOf(loss)?.remote ?? 'the gateway of the packet’s route'
  const leadsBack = loss.reason === 'OVL_IPIP_LOOP'
  return {
    why: leadsBack
      ? `The route of ${loss.place.name} to ${remote}, the other end of ${loss.device}, leads into ${loss.device} itself.`
      : `${loss.place.name} has no route to ${remote}, the other end of ${loss.device}.`,
    fixes: [],
  }
}

/** OVL_IPIP_MTU */
export const tooBigForTunnel: Explainer = (loss) => ({
  why: `With DF set it does not fit the way to the other end of ${loss.device}: the outer header takes 20 bytes. Its sender hears 3/4.`,
  fixes: [],
})

/** OVL_NO_IPIP: tunl0 would take it, were it up. */
export const nobodyDecapsulates: Explainer = ({ place, frame, network }) => {
  const source = readHeaders(frame, network)?.source
  const devices = place.kernel.links.list().filter(({ kind }) => kind === 'ipip')
  const fallback = devices.find(({ name }) => name === 'tunl0')
  const others = devices
    .filter(({ name }) => name !== 'tunl0')
    .map(({ name, ipip }) => `${name} to ${ipip?.remote ?? 'any'}`)
  const mends = fallback !== undefined && !fallback.up
  return {
    why: `${place.name} has no IPIP device that is up for packets${source ? ` of ${source}` : ''}: ${
      others.join(', ') || 'none but tunl0'
    }${mends ? '; tunl0, which takes what no other does, is down' : ''}. The sending node hears 3/3, the pod nothing.`,
    fixes: mends ? [{ node: place.name, run: 'ip link set tunl0 up' }] : [],
  }
}
