/** IPv6 as sockets see it: icmpv6_err_convert of net/ipv6/icmp.c, and ipv6/'s functions by the names of network.ts. */
import { EtherType } from '../../wire/ethernet.ts'
import { Icmpv6Type } from '../../wire/icmpv6.ts'
import { IpProtocol } from '../../wire/ipv4.ts'
import { isMulticast, needsDevice } from '../ipv6/address.ts'
import { Reflected, reflectedLabel } from '../ipv6/flow-label.ts'
import { DESTINATION_AT, findTransport, SOURCE_AT, trafficClass } from '../ipv6/header.ts'
import { interfaceOf, sendIcmpv6Error } from '../ipv6/icmp.ts'
import { sendIpv6 } from '../ipv6/output.ts'
import { learnPathMtu6 } from '../ipv6/path-mtu.ts'
import type { Ipv6Route } from '../ipv6/route.ts'
import { routeOutput6, sourceFor } from '../ipv6/route-output.ts'
import { isOurs } from '../ipv6/select-address.ts'
import type { IcmpMeaning, Network } from './network.ts'

const soft = (errno: string): IcmpMeaning => ({ errno, fatal: false })
const fatal = (errno: string): IcmpMeaning => ({ errno, fatal: true })

/** By code of destination unreachable: tab_unreach. */
const UNREACHABLE: readonly IcmpMeaning[] = [
  soft('ENETUNREACH'),
  fatal('EACCES'),
  soft('EHOSTUNREACH'),
  soft('EHOSTUNREACH'),
  fatal('ECONNREFUSED'),
  fatal('EACCES'),
  fatal('EACCES'),
]

const HEADER = 40
const PORT_UNREACHABLE = 4

export const ipv6Network: Network = {
  family: 'ipv6',
  protocol: EtherType.ipv6,
  icmp: IpProtocol.icmpv6,
  addressLength: 16,
  headerLength: HEADER,
  sourceAt: SOURCE_AT,
  destinationAt: DESTINATION_AT,
  ttlAt: 7,
  echoRequest: Icmpv6Type.echoRequest,
  echoReply: Icmpv6Type.echoReply,
  functions: { tcp: 'tcp_v6_rcv', tcpSocket: 'tcp_v6_do_rcv', udp: '__udp6_lib_rcv' },

  route(namespace, destination, source, flow) {
    const route = routeOutput6(namespace, { destination, source, ...flow })
    if (typeof route === 'string') return route
    if (route.error !== undefined) return route.error
    const from = source ?? sourceFor(namespace, route, destination)
    if (!from) return 'EADDRNOTAVAIL'
    return {
      source: from,
      mtu: route.mtu,
      isMtuLocked: false,
      advertisedMss: route.advertisedMss,
      broadcast: false,
      of: route,
    }
  },

  send(namespace, packet, { source, destination, protocol, ttl, tos, route, flowLabel }) {
    return sendIpv6(namespace, packet, {
      source,
      destination,
      protocol,
      hopLimit: ttl,
      traffic: tos,
      flowLabel,
      route: route?.of as Ipv6Route | undefined,
    })
  },

  isOurs: (namespace, address) => isOurs(namespace, address, 0),
  isForMany: ({ bytes, network }) => isMulticast(bytes, network + DESTINATION_AT),
  // tcp_v6_send_response, and ir_iif of a request.
  deviceForAnswer: (packet) =>
    needsDevice(packet.bytes, packet.network + SOURCE_AT) ? interfaceOf(packet) : undefined,
  labelOfReset: (packet) => reflectedLabel(packet, Reflected.reset),
  // ipv6_unicast_destination
  isForOne: ({ route }) => (route as Ipv6Route | undefined)?.type === 'local',
  lengthOfHeader: (bytes, at, end) => (findTransport(bytes, at, end)?.at ?? at + HEADER) - at,
  // Without the bits of ECN: INET_DSCP_MASK.
  tosOf: (bytes, at) => trafficClass(bytes, at) & 0xfc,
  refusePort: (packet) => sendIcmpv6Error(packet, Icmpv6Type.destinationUnreachable, PORT_UNREACHABLE, 0),

  meaningOf(type, code) {
    if (type === Icmpv6Type.destinationUnreachable) return UNREACHABLE[code] ?? fatal('EPROTO')
    if (type === Icmpv6Type.packetTooBig) return soft('EMSGSIZE')
    if (type === Icmpv6Type.timeExceeded) return soft('EHOSTUNREACH')
    return type === Icmpv6Type.parameterProblem ? fatal('EPROTO') : undefined
  },
  isTooBig: (type) => type === Icmpv6Type.packetTooBig,
  learnMtu: learnPathMtu6,
}
