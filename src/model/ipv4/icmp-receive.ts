/** ICMP that is for this host: icmp_rcv, net/ipv4/icmp.c. Questions are answered, errors go to who sent what they quote. */
import { fold, setU32, sumOf, u16, u32 } from '../bytes.ts'
import { delivered, drop, note, unsupported } from '../observer.ts'
import type { Packet } from '../packet.ts'
import type { TransportProtocol } from '../transport.ts'
import { RtScope } from './fib-route.ts'
import { clearFlow } from './fib-rule.ts'
import { DESTINATION_AT, PROTOCOL_AT, SOURCE_AT, TOS_AT } from './header.ts'
import { newIcmp, sendIcmpError } from './icmp.ts'
import { sendIpv4 } from './output.ts'
import { learnFromIcmp } from './path-learning.ts'
import type { Ipv4Route } from './route.ts'
import { routeOutput } from './route-output.ts'
import { addressType, selectAddress, sourceOf } from './select-address.ts'

const ICMP = 1
const HEADER = 8

const Type = {
  echoReply: 0,
  unreachable: 3,
  quench: 4,
  redirect: 5,
  echo: 8,
  timeExceeded: 11,
  parameterProblem: 12,
  timestamp: 13,
  addressMask: 17,
  addressMaskReply: 18,
  extendedEcho: 42,
  extendedEchoReply: 43,
} as const
const HIGHEST_TYPE = 18
const FRAGMENTATION_NEEDED = 4
const FRAGMENT_TIME = 1
const HIGHEST_UNREACHABLE_CODE = 15
const MILLISECONDS_OF_A_DAY = 86_400_000

/** What stands in `model.ipv4Protocols` for ICMP. */
export const icmpProtocol: TransportProtocol = {
  receive: receiveIcmp,
  /** icmp_err: about an echo reply it teaches the kernel, which sent it; about all else it is for a socket. */
  error(packet, type, code, info, quoted) {
    const { bytes, device } = packet
    if (bytes[quoted + (bytes[quoted]! & 15) * 4] === Type.echoReply) learnFromIcmp(packet, type, code, info, quoted)
    else device.namespace.sockets.echoError(packet, 'ipv4', type, code, info, quoted)
  },
  refuse: sendIcmpError,
}

function receiveIcmp(packet: Packet): void {
  const { bytes, transport, end } = packet
  if (packet.checksum !== 'verified' && fold(sumOf(bytes, transport, end)) !== 0xffff) {
    drop(packet, 'ICMP_CSUM', 'icmp_rcv', { what: 'the checksum is wrong' })
    return
  }
  if (end - transport < HEADER) {
    drop(packet, 'NOT_SPECIFIED', 'icmp_rcv', { own: 'OVL_ICMP_TRUNCATED', what: 'shorter than its header' })
    return
  }
  packet.checksum = 'verified'
  const type = bytes[transport]!
  if (type === Type.extendedEcho || type === Type.extendedEchoReply) {
    extendedEcho(packet, type)
    return
  }
  if ((packet.route as Ipv4Route | undefined)?.isForMany && !isForMany(packet, type)) {
    drop(packet, 'INVALID_PROTO', 'icmp_rcv', { what: `type ${type} to a broadcast or multicast address` })
    return
  }
  if (type > HIGHEST_TYPE) {
    drop(packet, 'UNHANDLED_PROTO', 'icmp_rcv', { what: `type ${type} is unknown` })
    return
  }
  switch (type) {
    case Type.echoReply:
      packet.device.namespace.sockets.receiveEchoReply(packet, 'ipv4')
      return
    case Type.echo:
      echo(packet)
      return
    case Type.timestamp:
      timestamp(packet)
      return
    case Type.unreachable:
    case Type.quench:
    case Type.redirect:
    case Type.timeExceeded:
    case Type.parameterProblem:
      receiveError(packet, type, bytes[transport + 1]!)
      return
    default:
      // icmp_discard
      delivered(packet, 'icmp_discard')
  }
}

/** RFC 1122 §3.2.2.6: a host that answers everybody helps to flood. */
function isForMany({ device }: Packet, type: number): boolean {
  if (type === Type.addressMask || type === Type.addressMaskReply) return true
  if (type !== Type.echo && type !== Type.timestamp) return false
  return device.namespace.ipv4.settings.icmp_echo_ignore_broadcasts === 0
}

function echo(packet: Packet): void {
  const { bytes, transport, end } = packet
  if (packet.device.namespace.ipv4.settings.icmp_echo_ignore_all !== 0) {
    delivered(packet, 'icmp_echo (ignored)')
    return
  }
  const answer = newIcmp(packet, end - transport)
  answer.bytes.set(bytes.subarray(transport, end), answer.transport)
  answer.bytes[answer.transport] = Type.echoReply
  reply(packet, answer)
  delivered(packet, 'icmp_echo')
}

/** RFC 8335: unanswered unless a setting says so, as a host is born. */
function extendedEcho(packet: Packet, type: number): void {
  const { sysctl, sockets } = packet.device.namespace
  if (type === Type.extendedEchoReply) sockets.receiveEchoReply(packet, 'ipv4')
  else if (sysctl.numbers('net/ipv4/icmp_echo_enable_probe')[0]) unsupported(packet, 'ICMP extended echo')
  else delivered(packet, 'icmp_echo (ignored)')
}

/** RFC 792: milliseconds since midnight UT, when the request came and when the answer leaves. */
function timestamp(packet: Packet): void {
  const { bytes, transport, end, device } = packet
  if (end - transport < HEADER + 4) {
    drop(packet, 'PKT_TOO_SMALL', 'icmp_rcv', { what: 'a timestamp request without a timestamp' })
    return
  }
  const answer = newIcmp(packet, HEADER + 12)
  const at = answer.transport
  answer.bytes.set(bytes.subarray(transport, transport + HEADER + 4), at)
  answer.bytes[at] = Type.timestamp + 1
  answer.bytes[at + 1] = 0
  const now = Math.floor(device.namespace.model.clock.now / 1000) % MILLISECONDS_OF_A_DAY
  setU32(answer.bytes, at + HEADER + 4, now)
  setU32(answer.bytes, at + HEADER + 8, now)
  reply(packet, answer)
  delivered(packet, 'icmp_timestamp')
}

/** icmp_reply: from the address that was asked, with the question's type of service. */
function reply(packet: Packet, answer: Packet): void {
  const { bytes, network, device } = packet
  const { namespace } = device
  const { icmpLimits, settings } = namespace.ipv4
  const type = answer.bytes[answer.transport]!
  const isFree = icmpLimits.isFree(type, 0)
  if (!isFree && !icmpLimits.allowGlobally()) return
  const destination = u32(bytes, network + SOURCE_AT)
  const source = specificDestination(packet)
  const tos = bytes[network + TOS_AT]!
  const mark = settings.fwmark_reflect !== 0 ? packet.mark : 0
  const route = routeOutput(namespace, { destination, source, tos, mark, protocol: ICMP })
  if (typeof route === 'string') {
    if (packet.journey) note(packet, device, 'icmp', `cannot answer: ${route}`, { kernel: 'icmp_reply' })
    return
  }
  if (!isFree && route.device !== namespace.loopback && !icmpLimits.allow(destination)) return
  answer.journey = packet.journey?.spawn('reply')
  sendIpv4(namespace, answer, { source, destination, protocol: ICMP, tos, mark, route, checksumAt: 2 })
}

/** fib_compute_spec_dst: what was for many is answered from an address of our own. */
function specificDestination(packet: Packet): number {
  const { bytes, network, device } = packet
  const route = packet.route as Ipv4Route | undefined
  if (route?.isLocal && !route.isForMany) return u32(bytes, network + DESTINATION_AT)
  const { fib, loopback } = device.namespace
  const source = u32(bytes, network + SOURCE_AT)
  if (source === 0) return selectAddress(device, source, RtScope.link)
  const flow = clearFlow(fib.flow, source)
  flow.input = loopback.index
  flow.tos = bytes[network + TOS_AT]!
  const found = fib.lookup(flow)
  if (found.error === undefined && found.route && found.hop) return sourceOf(found.route, found.hop)
  return selectAddress(device, source, RtScope.universe)
}

/** icmp_unreach and icmp_redirect, then icmp_socket_deliver. */
function receiveError(packet: Packet, type: number, code: number): void {
  const { bytes, transport, end, device } = packet
  const quoted = transport + HEADER
  const header = (bytes[quoted]! & 15) * 4
  if (end - quoted < 20) {
    const what = 'nothing is quoted'
    if (type === Type.redirect) drop(packet, 'PKT_TOO_SMALL', 'icmp_rcv', { what })
    else drop(packet, 'NOT_SPECIFIED', 'icmp_rcv', { own: 'OVL_ICMP_TRUNCATED', what })
    return
  }
  if (header < 20) {
    drop(packet, 'IP_INHDR', 'icmp_rcv', { what: 'what is quoted is no IPv4 header' })
    return
  }
  const info = errorInfo(packet, type, code)
  if (info !== undefined && end - quoted >= header + HEADER && !isBogus(packet, type, quoted)) {
    const protocol = bytes[quoted + PROTOCOL_AT]!
    device.namespace.model.ipv4Protocols[protocol]?.error?.(packet, type, code, info, quoted)
  }
  delivered(packet, 'icmp_socket_deliver')
}

/** What goes with the error, 0 where nothing does; undefined: transports are not told. */
function errorInfo({ bytes, transport, device }: Packet, type: number, code: number): number | undefined {
  if (type === Type.timeExceeded) return code === FRAGMENT_TIME ? undefined : 0
  if (type === Type.parameterProblem) return bytes[transport + 4]!
  if (type !== Type.unreachable) return 0
  if (code > HIGHEST_UNREACHABLE_CODE) return undefined
  if (code !== FRAGMENTATION_NEEDED) return 0
  const { ip_no_pmtu_disc: mode } = device.namespace.ipv4.settings
  if (mode === 2) return undefined
  return mode === 1 ? 0 : u16(bytes, transport + 6)
}

/** Some routers answer broadcasts with errors. */
function isBogus({ bytes, device }: Packet, type: number, quoted: number): boolean {
  const { namespace } = device
  if (type === Type.redirect || namespace.ipv4.settings.icmp_ignore_bogus_error_responses !== 0) return false
  return addressType(namespace, u32(bytes, quoted + DESTINATION_AT)) === 'broadcast'
}
