/** Where a packet goes that came in: ip6_route_input, net/ipv6/route.c. It always gets a route, be it one that refuses. */
import { note } from '../observer.ts'
import type { Packet } from '../packet.ts'
import { needsDevice } from './address.ts'
import { hashOfPacket } from './ecmp.ts'
import type { Flow6 } from './fib.ts'
import { DESTINATION_AT, SOURCE_AT, trafficClass } from './header.ts'
import { Ipv6Route } from './route.ts'
import { entryOf } from './route-output.ts'
import { describeRoute6 } from './route-text.ts'

export function routeInput6(packet: Packet): void {
  const { bytes, network, device } = packet
  const { fib } = device.namespace.ipv6
  const at = network + DESTINATION_AT
  packet.route = fib.rememberedInput(device, bytes, at) ?? find(packet)
  if (packet.journey) noteRoute(packet)
}

function find(packet: Packet): Ipv6Route {
  const { bytes, network, device } = packet
  const { namespace } = device
  const { fib } = namespace.ipv6
  const at = network + DESTINATION_AT
  const flow: Flow6 = {
    destination: bytes,
    destinationAt: at,
    source: bytes,
    sourceAt: network + SOURCE_AT,
    traffic: trafficClass(bytes, network),
    mark: packet.mark,
    input: device.index,
    device: device.index,
    strict: needsDevice(bytes, at),
    hash: () => hashOfPacket(namespace, packet),
  }
  const { route, error, rule } = fib.lookup(flow)
  if (error !== undefined || !route)
    return new Ipv6Route({
      type: 'unreachable',
      device: namespace.loopback,
      fib: route,
      error: error ?? 'ENETUNREACH',
      rule,
    })
  const entry = entryOf(namespace, route, bytes.subarray(at, at + 16))
  if (route.siblings.length === 0) fib.rememberInput(device, bytes, at, entry)
  return entry
}

function noteRoute(packet: Packet): void {
  const { fib, rule, error, type } = packet.route as Ipv6Route
  const text = fib ? describeRoute6(fib) : (rule ?? 'no route')
  note(packet, packet.device, 'route', error ? text : `${type}: ${text}`, {
    kernel: 'ip6_route_input',
    ...(fib ? { ref: `route ${text}` } : rule && { ref: `rule ${rule}` }),
  })
}
