/**
 * Why a packet was lost, in the user's nouns: the cause, the object and its value, and a command that mends it. It is found
 * by asking the kernel of the place through the interface, so one explanation serves the model and Linux.
 */
import { notLearned, unusedOfBlock } from './bgp.ts'
import { hairpinOff, isolated, portTooSmall, stranger } from './bridge.ts'
import {
  farEndTooSmall,
  noRoute,
  notForwarding,
  ownSource,
  refusingRoute,
  reversePath,
  tooBig,
  ttlExceeded,
} from './ip.ts'
import { nobodyDecapsulates, notIpv4, noWayOut, tooBigForTunnel } from './ipip.ts'
import type { Explainer, Explanation, Loss, World } from './loss.ts'
import { neighbourFailed, notForUs, sharedAddress } from './neighbour.ts'
import { droppedByRule } from './netfilter.ts'
import { noTunnelTarget, sentToItself, tunnelPortClosed, unknownVni } from './overlay.ts'
import { listensElsewhere, toNoEndpoint } from './service.ts'

/** By reason; the first that has something to say does. A service that leads nowhere is the cause of any loss. */
const explainers: Readonly<Record<string, readonly Explainer[]>> = {
  NO_TX_TARGET: [noTunnelTarget],
  NEIGH_FAILED: [neighbourFailed],
  OTHERHOST: [notForUs],
  VXLAN_VNI_NOT_FOUND: [unknownVni],
  NO_SOCKET: [tunnelPortClosed, stranger, sharedAddress, listensElsewhere, noSocket],
  IP_INADDRERRORS: [notForwarding],
  IP_RPFILTER: [reversePath],
  IP_LOCAL_SOURCE: [ownSource],
  IP_INNOROUTES: [notLearned, noRoute],
  IP_INHDR: [sentToItself, ttlExceeded],
  PKT_TOO_BIG: [tooBig],
  NETFILTER_DROP: [droppedByRule],
  OVL_ROUTE_BLACKHOLE: [unusedOfBlock, refusingRoute],
  OVL_ROUTE_UNREACHABLE: [refusingRoute],
  OVL_ROUTE_PROHIBIT: [refusingRoute],
  OVL_VETH_MTU: [farEndTooSmall],
  OVL_BRIDGE_HAIRPIN_OFF: [hairpinOff],
  OVL_BRIDGE_ISOLATED: [isolated],
  OVL_BRIDGE_MTU: [portTooSmall],
  OVL_LINK_DOWN: [linkDown],
  OVL_IPIP_PROTOCOL: [notIpv4],
  OVL_IPIP_NO_ROUTE: [noWayOut],
  OVL_IPIP_LOOP: [noWayOut],
  OVL_IPIP_MTU: [tooBigForTunnel],
  OVL_NO_IPIP: [nobodyDecapsulates],
}

export function explain(loss: Loss, world: World): Explanation {
  for (const explainer of [toNoEndpoint, ...(explainers[loss.reason] ?? [])]) {
    const explanation = explainer(loss, world)
    if (explanation) return explanation
  }
  return { why: `${loss.kernel} dropped it with the reason ${loss.reason}.`, fixes: [] }
}

function noSocket({ place, device, kernel }: Loss): Explanation {
  return { why: `It came to ${place.name}/${device}, and no socket waits for it (${kernel}).`, fixes: [] }
}

function linkDown({ place, device }: Loss): Explanation {
  return {
    why: `${device} of ${place.name} is down.`,
    fixes: [{ node: place.name, run: `ip link set ${device} up` }],
  }
}
