/** IPv4 as sockets see it: icmp_err_convert of net/ipv4/icmp.c, and ipv4/'s functions by the names of network.ts. */
import type { Ip } from '../../address/ip.ts'
import { EtherType } from '../../wire/ethernet.ts'
import { IcmpType, UnreachableCode } from '../../wire/icmp.ts'
import { IpProtocol } from '../../wire/ipv4.ts'
import { setU32, u32 } from '../bytes.ts'
import { sendIcmpError } from '../ipv4/icmp.ts'
import { sendIpv4 } from '../ipv4/output.ts'
import type { Ipv4Route } from '../ipv4/route.ts'
import { routeOutput } from '../ipv4/route-output.ts'
import { addressType } from '../ipv4/select-address.ts'
import type { IcmpMeaning, Network } from './network.ts'

const soft = (errno: string): IcmpMeaning => ({ errno, fatal: false })
const fatal = (errno: string): IcmpMeaning => ({ errno, fatal: true })

/** By code of destination unreachable. */
const UNREACHABLE: readonly IcmpMeaning[] = [
  soft('ENETUNREACH'),
  soft('EHOSTUNREACH'),
  fatal('ENOPROTOOPT'),
  fatal('ECONNREFUSED'),
  soft('EMSGSIZE'),
  soft('EOPNOTSUPP'),
  fatal('ENETUNREACH'),
  fatal('EHOSTDOWN'),
  fatal('ENONET'),
  fatal('ENETUNREACH'),
  fatal('EHOSTUNREACH'),
  soft('ENETUNREACH'),
  soft('EHOSTUNREACH'),
  fatal('EHOSTUNREACH'),
  fatal('EHOSTUNREACH'),
  fatal('EHOSTUNREACH'),
]

const addressOf = (ip: Ip): number => u32(ip, 0)

function ipOf(address: number): Ip {
  const ip = new Uint8Array(4)
  setU32(ip, 0, address)
  return ip
}

export const ipv4Network: Network = {
  family: 'ipv4',
  protocol: EtherType.ipv4,
  icmp: IpProtocol.icmp,
  addressLength: 4,
  headerLength: 20,
  sourceAt: 12,
  destinationAt: 16,
  ttlAt: 8,
  echoRequest: IcmpType.echoRequest,
  echoReply: IcmpType.echoReply,
  functions: { tcp: 'tcp_v4_rcv', tcpSocket: 'tcp_v4_do_rcv', udp: '__udp4_lib_rcv' },

  route(namespace, destination, source, flow) {
    const route = routeOutput(namespace, {
      destination: addressOf(destination),
      source: source && addressOf(source),
      ...flow,
    })
    if (typeof route === 'string') return route
    return {
      source: source ?? ipOf(route.source),
      mtu: route.mtu,
      isMtuLocked: route.mtuLocked,
      advertisedMss: route.advertisedMss,
      broadcast: route.type === 'broadcast',
      of: route,
    }
  },

  send(namespace, packet, { source, destination, protocol, ttl, tos, dontFragment, identification, route }) {
    return sendIpv4(namespace, packet, {
      source: addressOf(source),
      destination: addressOf(destination),
      protocol,
      dontFragment,
      ...(ttl !== undefined && { ttl }),
      ...(tos !== undefined && { tos }),
      ...(identification !== undefined && { identification }),
      ...(route && { route: route.of as Ipv4Route }),
    })
  },

  isOurs: (namespace, address) =>
    addressType(namespace, addressOf(address)) === 'local' || namespace.ipv4.settings.ip_nonlocal_bind !== 0,
  isForMany: ({ route }) => (route as Ipv4Route | undefined)?.isForMany === true,
  deviceForAnswer: () => undefined,
  labelOfReset: () => undefined,
  isForOne: ({ route }) => (route as Ipv4Route | undefined)?.isForMany !== true,
  lengthOfHeader: (bytes, at) => (bytes[at]! & 0xf) * 4,
  // Without the bits of ECN: INET_DSCP_MASK.
  tosOf: (bytes, at) => bytes[at + 1]! & 0xfc,
  refusePort: (packet) => sendIcmpError(packet, IcmpType.destinationUnreachable, UnreachableCode.port, 0),

  meaningOf(type, code) {
    if (type === IcmpType.destinationUnreachable) return UNREACHABLE[code]
    if (type === IcmpType.timeExceeded) return soft('EHOSTUNREACH')
    return type === IcmpType.parameterProblem ? fatal('EPROTO') : undefined
  },
  isTooBig: (type, code) => type === IcmpType.destinationUnreachable && code === UnreachableCode.fragmentationNeeded,

  learnMtu(namespace, destination, source, mtu) {
    const to = addressOf(destination)
    const route = routeOutput(namespace, { destination: to, source: addressOf(source) })
    if (typeof route !== 'string') namespace.ipv4.pathMtus.update(route, to, mtu)
  },
}
