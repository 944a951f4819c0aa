/** `ip route get`: inet_rtm_getroute and rt_fill_info, net/ipv4/route.c. */
import { formatIp, parseIp } from '../../address/ip.ts'
import { IPV4_LENGTH } from '../../address/ipv4.ts'
import { KernelError } from '../../kernel/errors.ts'
import { type Route, RouteTable } from '../../kernel/route.ts'
import { setU32, u32 } from '../bytes.ts'
import { SECOND } from '../clock.ts'
import type { Device } from '../device/device.ts'
import { formatAddress } from '../ipv4/address-text.ts'
import type { FibRoute } from '../ipv4/fib-route.ts'
import { clearFlow, type Flow } from '../ipv4/fib-rule.ts'
import type { Ipv4Route } from '../ipv4/route.ts'
import { routeInput } from '../ipv4/route-input.ts'
import { type OutputKey, routeOutput } from '../ipv4/route-output.ts'
import type { Namespace } from '../namespace.ts'
import { newPacket } from '../packet.ts'
import { bytesOf } from './neighbour-key.ts'
import { requireDevice } from './require.ts'
import { lookup6 } from './routes6.ts'

export interface LookupOptions {
  readonly source?: string
  readonly inputLink?: string
  readonly outputLink?: string
  readonly mark?: number
}

export interface LookupKey {
  readonly destination: Uint8Array
  readonly source: Uint8Array | undefined
  readonly input: Device | undefined
  readonly output: Device | undefined
  readonly mark: number
}

const IPV4_HEADER = 20
const ETHERTYPE_IPV4 = 0x0800

/** Undefined where no route leads there (ENETUNREACH). */
export function lookup(
  namespace: Namespace,
  destination: string,
  { source, inputLink, outputLink, mark = 0 }: LookupOptions,
  call: string,
): Route | undefined {
  const key: LookupKey = {
    destination: parseIp(destination),
    source: source === undefined ? undefined : parseIp(source),
    input: inputLink === undefined ? undefined : requireDevice(namespace, inputLink, call),
    output: outputLink === undefined ? undefined : requireDevice(namespace, outputLink, call),
    mark,
  }
  const found = key.destination.length === IPV4_LENGTH ? lookup4(namespace, key) : lookup6(namespace, key)
  if (found === 'ENETUNREACH') return undefined
  if (typeof found === 'string') throw new KernelError(found, call)
  return found
}

function lookup4(namespace: Namespace, { destination, source, input, output, mark }: LookupKey): Route | string {
  const { fib } = namespace
  const to = u32(destination, 0)
  const from = source ? u32(source, 0) : 0
  if (!input) {
    const key: OutputKey = { destination: to, source: from, outputDevice: output, mark }
    const route = routeOutput(namespace, key)
    if (typeof route === 'string') return route
    const found = fib.search(flowOf(namespace, key))
    return viewOf(to, route, from !== 0 ? undefined : route.source, found.error === undefined ? found.route : undefined)
  }
  // The kernel makes up a packet, too.
  const packet = newPacket(IPV4_HEADER, input, ETHERTYPE_IPV4)
  packet.mark = mark
  packet.bytes[packet.network] = 0x45
  setU32(packet.bytes, packet.network + 12, from)
  setU32(packet.bytes, packet.network + 16, to)
  if (routeInput(packet) !== undefined) return 'EINVAL'
  const route = packet.route as Ipv4Route
  return route.error ?? viewOf(to, route, undefined, route.fib)
}

/** The same question again: an answer that needs no route (a neighbour that a device is named for) does not tell the table. */
function flowOf({ fib, loopback }: Namespace, { destination, source, outputDevice, mark }: OutputKey): Flow {
  const flow = clearFlow(fib.flow, destination)
  flow.source = source ?? 0
  flow.mark = mark ?? 0
  flow.input = loopback.index
  flow.output = outputDevice?.index ?? 0
  return flow
}

/** `found` is the route that was found on the way. */
function viewOf(destination: number, route: Ipv4Route, source: number | undefined, found: FibRoute | undefined): Route {
  const { gateway, gateway6, type, device, fib } = route
  const mtu = route.pathMtu ?? fib?.metrics?.mtu
  return {
    destination: `${formatAddress(destination)}/32`,
    type,
    table: found ? tableOf(device.namespace, found) : 0,
    protocol: 0,
    scope: 'global',
    metric: 0,
    tos: 0,
    ...(source && { source: formatAddress(source) }),
    ...(gateway !== 0 && { gateway: formatAddress(gateway) }),
    ...(gateway6 !== undefined && { gateway: formatIp(bytesOf(gateway6)) }),
    link: device.name,
    ...(route.expiresIn !== undefined && { expires: Math.floor(route.expiresIn / SECOND) }),
    ...((mtu !== undefined || fib?.metrics) && {
      metrics: { ...fib?.metrics, ...(mtu !== undefined && { mtu }), ...(route.mtuLocked && { mtuLocked: true }) },
    }),
  }
}

/** Until a rule is added or deleted, the tables local and main are one, and that is main: fib_unmerge. */
function tableOf({ fib }: Namespace, { table }: FibRoute): number {
  return table === RouteTable.local && !fib.hasCustomRules ? RouteTable.main : table
}
