/** ICMPv6 that is for this host: icmpv6_rcv, net/ipv6/icmp.c. */
import { fold, sumOf, u32 } from '../bytes.ts'
import { delivered, drop, note, unsupported } from '../observer.ts'
import type { Packet } from '../packet.ts'
import type { TransportProtocol } from '../transport.ts'
import { isMulticast } from './address.ts'
import { Reflected, reflectedLabel } from './flow-label.ts'
import { DESTINATION_AT, findTransport, HEADER_LENGTH, NextHeader, SOURCE_AT, trafficClass } from './header.ts'
import { CHECKSUM_AT, interfaceOf, newIcmpv6, sendIcmpv6Error } from './icmp.ts'
import { receiveNdp } from './ndp.ts'
import { NdType } from './ndp-send.ts'
import { sendIpv6 } from './output.ts'
import { learnPathMtu6 } from './path-mtu.ts'
import type { Ipv6Route } from './route.ts'

const HEADER = 8

const Type = {
  unreachable: 1,
  tooBig: 2,
  timeExceeded: 3,
  parameterProblem: 4,
  echo: 128,
  echoReply: 129,
  listenerQuery: 130,
} as const

/** What stands in `model.ipv6Protocols` for ICMPv6. */
export const icmpv6Protocol: TransportProtocol = {
  receive: receiveIcmpv6,
  /** icmpv6_err */
  error(packet, type, code, info, quoted) {
    const { bytes, device } = packet
    if (type === Type.tooBig) {
      const address = (at: number) => bytes.slice(quoted + at, quoted + at + 16)
      learnPathMtu6(device.namespace, address(DESTINATION_AT), address(SOURCE_AT), info)
    }
    device.namespace.sockets.echoError(packet, 'ipv6', type, code, info, quoted)
  },
  refuse: sendIcmpv6Error,
}

function receiveIcmpv6(packet: Packet): void {
  const { bytes, network, transport, end, device } = packet
  const length = end - transport
  const pseudo = sumOf(bytes, network + SOURCE_AT, network + HEADER_LENGTH) + NextHeader.icmp + length
  if (packet.checksum !== 'verified' && fold(sumOf(bytes, transport, end, pseudo)) !== 0xffff) {
    drop(packet, 'ICMP_CSUM', 'icmpv6_rcv', { what: 'the checksum is wrong' })
    return
  }
  if (length < HEADER) {
    drop(packet, 'NOT_SPECIFIED', 'icmpv6_rcv', { own: 'OVL_ICMP_TRUNCATED', what: 'shorter than its header' })
    return
  }
  packet.checksum = 'verified'
  const type = bytes[transport]!
  switch (type) {
    case Type.echo:
      echo(packet)
      return
    case Type.echoReply:
      device.namespace.sockets.receiveEchoReply(packet, 'ipv6')
      return
    case Type.unreachable:
    case Type.tooBig:
    case Type.timeExceeded:
    case Type.parameterProblem:
      receiveError(packet, type, bytes[transport + 1]!)
      return
    case Type.listenerQuery:
      unsupported(packet, 'MLD queries')
      return
    case NdType.routerSolicitation:
    case NdType.routerAdvertisement:
    case NdType.solicitation:
    case NdType.advertisement:
    case NdType.redirect:
      receiveNdp(packet)
      return
    default:
      delivered(packet, 'icmpv6_rcv')
  }
}

/** icmpv6_echo_reply: from the address that was asked, with the question's traffic class. */
function echo(packet: Packet): void {
  const { bytes, network, transport, end, device } = packet
  const { namespace } = device
  const { settings } = namespace.ipv6
  const at = network + DESTINATION_AT
  const isGroup = isMulticast(bytes, at)
  const isAnycast = (packet.route as Ipv6Route | undefined)?.type === 'anycast'
  const ignored =
    settings['icmp/echo_ignore_all'] !== 0 ||
    (isGroup && settings['icmp/echo_ignore_multicast'] !== 0) ||
    (isAnycast && settings['icmp/echo_ignore_anycast'] !== 0)
  if (ignored) {
    drop(packet, 'NOT_SPECIFIED', 'icmpv6_rcv', {
      own: 'OVL_ECHO_IGNORED',
      what: 'a setting has echo requests ignored',
    })
    return
  }
  const answer = newIcmpv6(packet, end - transport)
  answer.bytes.set(bytes.subarray(transport, end), answer.transport)
  answer.bytes[answer.transport] = Type.echoReply
  answer.journey = packet.journey?.spawn('reply')
  const refused = sendIpv6(namespace, answer, {
    source: isGroup || isAnycast ? undefined : bytes.slice(at, at + 16),
    destination: bytes.slice(network + SOURCE_AT, network + SOURCE_AT + 16),
    protocol: NextHeader.icmp,
    traffic: trafficClass(bytes, network),
    outputDevice: interfaceOf(packet),
    mark: settings.fwmark_reflect !== 0 ? packet.mark : 0,
    flowLabel: reflectedLabel(packet, Reflected.echoReply),
    checksumAt: CHECKSUM_AT,
  })
  if (refused && packet.journey)
    note(packet, device, 'icmp', `cannot answer: ${refused}`, { kernel: 'icmpv6_echo_reply' })
  delivered(packet, 'icmpv6_echo_reply')
}

/** icmpv6_notify: to who sent what is quoted. */
function receiveError(packet: Packet, type: number, code: number): void {
  const { bytes, transport, end, device } = packet
  const quoted = transport + HEADER
  if (end - quoted < HEADER_LENGTH) {
    drop(packet, 'PKT_TOO_SMALL', 'icmpv6_notify', { what: 'nothing is quoted' })
    return
  }
  const inner = findTransport(bytes, quoted, end)
  if (inner && inner.fragmentOffset === 0 && inner.at + 8 <= end) {
    const info = type === Type.tooBig || type === Type.parameterProblem ? u32(bytes, transport + 4) : 0
    device.namespace.model.ipv6Protocols[inner.protocol]?.error?.(packet, type, code, info, quoted)
  }
  delivered(packet, 'icmpv6_notify')
}
