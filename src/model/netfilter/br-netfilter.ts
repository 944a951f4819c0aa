/**
 * br_netfilter: frames that a bridge forwards pass the hooks of IP, ARP's too, as if they were routed.
 *
 *      bridge PREROUTING 0      header checked; ip PREROUTING, in = the bridge, physdev = the port
 *                               destination changed? to the same bridge: bridged on with another MAC (bridged DNAT)
 *                                                     elsewhere:          the bridge's own MAC, so that it goes up
 *             FORWARD 0         ip FORWARD, in = out = the bridge; arp FORWARD
 *             POSTROUTING last  ip POSTROUTING; what was put together for conntrack is cut again
 *      ip     PREROUTING first  what went up has passed PREROUTING already
 *
 * Each is a hook of the bridge at which the packet is taken through IP's hook and then goes on. While nobody stands at any of
 * IP's hooks, only headers are checked.
 *
 * Not modelled: VLAN and PPPoE frames (net.bridge.bridge-nf-filter-*-tagged).
 *
 * Source: net/bridge/br_netfilter_hooks.c, br_netfilter_ipv6.c.
 */
import type { Bridge } from '../device/bridge.ts'
import type { Device } from '../device/device.ts'
import { Ipv4Route } from '../ipv4/route.ts'
import type { Namespace } from '../namespace.ts'
import { drop, unsupported } from '../observer.ts'
import { type Packet, PacketFor } from '../packet.ts'
import { resumeRedirected, takeElsewhere, takeElsewhere6 } from './bridge/redirected.ts'
import { refragment } from './bridge/refragment.ts'
import { isValidIpv4, isValidIpv6 } from './bridge/validate.ts'
import { addressAt, sameAddress, type TupleFamily } from './conntrack/tuple.ts'
import { Hook, type HookEntry, Priority, runHook, Verdict, type VerdictNumber } from './hooks.ts'

const IPV4 = 0x0800
const ARP = 0x0806
const VLAN = 0x8100
const IPV6 = 0x86dd
const PPPOE_SESSION = 0x8864

/** NF_BR_PRI_BRNF, NF_BR_PRI_LAST. */
const BRNF = 0
const LAST = 2147483647

/** What fits through every link there may be (RFC 791): nothing so short is ever cut. */
const LEAST_MTU = 68

/** brnf_device_event: a bridge is registered. The first of a namespace brings the hooks with it. */
export function enableBridgeNetfilter(bridge: Bridge): void {
  bridge.transmitHandler = resumeRedirected
  const parts = { type: 'unicast', device: bridge, gateway: 0, source: 0, isInput: false, isLocal: false } as const
  bridge.bridgedRoute = new Ipv4Route(parts)
  const { hooks } = bridge.namespace
  if (hooks.bridge.at(Hook.prerouting).some(({ name }) => name === preRoutingEntry.name)) return
  hooks.bridge.register(Hook.prerouting, preRoutingEntry)
  hooks.bridge.register(Hook.input, localInEntry)
  hooks.bridge.register(Hook.forward, forwardEntry)
  hooks.bridge.register(Hook.postrouting, postRoutingEntry)
  hooks.ip.register(Hook.prerouting, handedUpEntry)
  hooks.ip6.register(Hook.prerouting, handedUpEntry)
}

const entry = (priority: number, call: HookEntry['call'], passesOthers = false): HookEntry => ({
  priority,
  name: 'br_netfilter',
  call,
  passesOthers,
})

const preRoutingEntry = entry(BRNF, (packet, _hook, input) => {
  const { bridgeSettings } = input!.namespace
  const { protocol } = packet
  if (protocol === IPV4 && bridgeSettings['bridge-nf-call-iptables'] !== 0) return preRouting('ip', packet, input!)
  if (protocol === IPV6 && bridgeSettings['bridge-nf-call-ip6tables'] !== 0) return preRouting('ip6', packet, input!)
  const wanted =
    (protocol === VLAN && bridgeSettings['bridge-nf-filter-vlan-tagged'] !== 0) ||
    (protocol === PPPOE_SESSION && bridgeSettings['bridge-nf-filter-pppoe-tagged'] !== 0)
  if (!wanted) return Verdict.accept
  unsupported(packet, protocol === VLAN ? 'bridge-nf-filter-vlan-tagged' : 'bridge-nf-filter-pppoe-tagged')
  return Verdict.stolen
})

/** br_nf_pre_routing, and br_nf_pre_routing_finish behind IP's hook. */
function preRouting(family: TupleFamily, packet: Packet, port: Device): VerdictNumber {
  if (!isValid(family, packet)) return malformed(family, packet)
  const { namespace } = port
  const nobody = isIdle(namespace, family)
  if (nobody && packet.end - packet.network <= LEAST_MTU) return Verdict.accept
  const bridged = {
    input: port,
    output: undefined,
    inPrerouting: !nobody,
    handedUp: false,
    otherHost: false,
    fragmentMaxSize: 0,
    source: undefined,
  }
  packet.bridged = bridged
  const bridge = port.master as Bridge
  if (nobody) {
    packet.route = family === 'ip' ? bridge.bridgedRoute : undefined
    return Verdict.accept
  }
  const destinationAt = family === 'ip' ? 16 : 24
  const destination = addressAt(family, packet.bytes, packet.network + destinationAt)
  packet.device = bridge
  hideOtherHost(packet)
  if (!runHook(namespace, family, Hook.prerouting, packet, bridge, undefined)) return Verdict.stolen
  bridged.inPrerouting = false
  bridged.fragmentMaxSize = packet.fragmentMaxSize
  restoreOtherHost(packet)
  const now = addressAt(family, packet.bytes, packet.network + destinationAt)
  if (sameAddress(now, destination)) {
    packet.route = family === 'ip' ? bridge.bridgedRoute : undefined
    packet.device = port
    return Verdict.accept
  }
  return family === 'ip' ? takeElsewhere(packet, bridge, port) : takeElsewhere6(packet, bridge, port)
}

/** Nobody but br_netfilter stands at a hook of this family. */
function isIdle({ hooks }: Namespace, family: TupleFamily): boolean {
  const chains = family === 'ip' ? hooks.ip : hooks.ip6
  return chains.hasOnly(Hook.prerouting) && chains.at(Hook.prerouting).length === 1
}

/** br_nf_local_in: copies of a new connection's packet are made by the bridge and above; it is confirmed before. */
const localInEntry = entry(
  LAST,
  (packet, _hook, input) => {
    const { connection } = packet
    if (connection === undefined || packet.for === PacketFor.host || connection.confirmed) return Verdict.accept
    return input!.namespace.conntrack.confirm(packet)
  },
  true,
)

const forwardEntry = entry(BRNF, (packet, _hook, input, output) => {
  const { protocol } = packet
  if (protocol === IPV4) return forward('ip', packet, output!)
  if (protocol === IPV6) return forward('ip6', packet, output!)
  if (protocol === ARP) return forwardArp(packet, input, output!)
  return Verdict.accept
})

/** br_nf_forward_ip. */
function forward(family: TupleFamily, packet: Packet, output: Device): VerdictNumber {
  const { bridged } = packet
  if (bridged === undefined) return Verdict.accept
  // Its header holds, since no rule changes lengths. What was noted of its fragments is forgotten, as the kernel's IPCB is.
  isValid(family, packet)
  const { namespace } = output
  bridged.output = output
  packet.fragmentMaxSize = bridged.fragmentMaxSize
  hideOtherHost(packet)
  const bridge = output.master
  if (!runHook(namespace, family, Hook.forward, packet, bridge, bridge)) return Verdict.stolen
  bridged.fragmentMaxSize = packet.fragmentMaxSize
  restoreOtherHost(packet)
  return Verdict.accept
}

/** br_nf_forward_arp: in and out are the ports themselves. */
function forwardArp(packet: Packet, input: Device | undefined, output: Device): VerdictNumber {
  const { namespace } = output
  if (namespace.bridgeSettings['bridge-nf-call-arptables'] === 0) return Verdict.accept
  const { bytes, network, end } = packet
  if (end - network < 8) {
    drop(packet, 'PKT_TOO_SMALL', 'br_nf_forward', { what: 'no ARP header' })
    return Verdict.stolen
  }
  // Of IPv4 alone: ar_pln.
  if (bytes[network + 5] !== 4) return Verdict.accept
  return runHook(namespace, 'arp', Hook.forward, packet, input, output) ? Verdict.accept : Verdict.stolen
}

/** br_nf_post_routing, and br_nf_dev_queue_xmit behind IP's hook. */
const postRoutingEntry = entry(
  LAST,
  (packet, _hook, _input, output) => {
    const { bridged, protocol } = packet
    // What was handed up and routed has passed POSTROUTING on its way.
    if (bridged === undefined || bridged.output === undefined) return Verdict.accept
    if (protocol !== IPV4 && protocol !== IPV6) return Verdict.accept
    hideOtherHost(packet)
    const { namespace, master } = output!
    if (!runHook(namespace, protocol === IPV4 ? 'ip' : 'ip6', Hook.postrouting, packet, undefined, master!))
      return Verdict.stolen
    restoreOtherHost(packet)
    return refragment(packet, master as Bridge, output!)
  },
  true,
)

/** ip_sabotage_in. */
const handedUpEntry = entry(
  Priority.first,
  (packet) => {
    const { bridged } = packet
    if (bridged === undefined || bridged.inPrerouting || bridged.handedUp) return Verdict.accept
    bridged.handedUp = true
    // The bridge's own route is none to go on by: skb_valid_dst. One that DNAT had to find is.
    if (packet.protocol === IPV4 && packet.route !== undefined && !(packet.route as Ipv4Route).isInput)
      packet.route = undefined
    return Verdict.stop
  },
  true,
)

function isValid(family: TupleFamily, packet: Packet): boolean {
  return family === 'ip' ? isValidIpv4(packet) : isValidIpv6(packet)
}

function malformed(family: TupleFamily, packet: Packet): VerdictNumber {
  drop(packet, 'IP_INHDR', family === 'ip' ? 'br_nf_pre_routing' : 'br_nf_pre_routing_ipv6', {
    what: 'a bridged packet whose IP header does not hold',
  })
  return Verdict.stolen
}

/** To IP's hooks every bridged packet is one for this host. */
function hideOtherHost(packet: Packet): void {
  if (packet.for !== PacketFor.otherhost) return
  packet.for = PacketFor.host
  packet.bridged!.otherHost = true
}

function restoreOtherHost(packet: Packet): void {
  const { bridged } = packet
  if (!bridged?.otherHost) return
  packet.for = PacketFor.otherhost
  bridged.otherHost = false
}
