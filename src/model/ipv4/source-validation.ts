/**
 * Whether a packet may come from where it says, on the device that it came in by: fib_validate_source,
 * net/ipv4/fib_frontend.c. Runs for every packet that is routed, with rp_filter or without.
 */
import type { Device } from '../device/device.ts'
import { note } from '../observer.ts'
import type { Packet } from '../packet.ts'
import type { FibResult } from './fib-route.ts'
import { RtScope } from './fib-route.ts'
import { clearFlow, type Flow } from './fib-rule.ts'

/** The source is fine. `onLink`: and a neighbour on this very device. */
export const SOURCE_FINE = 0
export const SOURCE_ON_LINK = 1

export type SourceVerdict =
  | typeof SOURCE_FINE
  | typeof SOURCE_ON_LINK
  | 'IP_RPFILTER'
  | 'IP_LOCAL_SOURCE'
  | 'IP_INVALID_SOURCE'

/** `output` is the device that the packet will leave by; undefined where it does not. */
export function validateSource(
  packet: Packet | undefined,
  device: Device,
  output: Device | undefined,
  source: number,
  destination: number,
  tos: number,
): SourceVerdict {
  const { ipv4, namespace } = device
  const { fib } = namespace
  const { all } = namespace.ipv4
  const filter = Math.max(ipv4.conf.rp_filter, all.rp_filter)
  const acceptsLocal = ipv4.conf.accept_local !== 0 || all.accept_local !== 0
  const sendsRedirects = ipv4.conf.send_redirects !== 0 || all.send_redirects !== 0
  if (filter === 0 && (device !== output || !sendsRedirects)) {
    if (acceptsLocal) return SOURCE_FINE
    if (!fib.customLocalRoutes && !fib.hasCustomRules)
      return fib.addresses.has(source | 0) ? 'IP_LOCAL_SOURCE' : SOURCE_FINE
  }

  const flow = clearFlow(fib.flow, source)
  flow.source = destination
  flow.tos = tos
  flow.input = output?.index ?? namespace.loopback.index
  if (ipv4.conf.src_valid_mark !== 0 || all.src_valid_mark !== 0) flow.mark = packet?.mark ?? 0
  const found = fib.lookup(flow)
  if (found.error !== undefined || !found.route || !found.hop) return lastResort(packet, device, filter)
  const { route } = found
  if (route.type !== 'unicast') {
    if (route.type !== 'local') return 'IP_INVALID_SOURCE'
    if (!acceptsLocal) return 'IP_LOCAL_SOURCE'
  }
  const matches = route.hops.some((hop) => hop.device === device)
  if (matches || (route.type === 'local' && device === namespace.loopback)) return verdictOf(found)
  if (ipv4.addresses.length === 0) return lastResort(packet, device, filter)
  if (filter === 1) return refused(packet, device, filter)
  return byThisDevice(device, flow)
}

/** No route leads back: enough of a reason for a filter, none without. */
function lastResort(packet: Packet | undefined, device: Device, filter: number): SourceVerdict {
  return filter === 0 ? SOURCE_FINE : refused(packet, device, filter)
}

function refused(packet: Packet | undefined, device: Device, filter: number): SourceVerdict {
  if (packet?.journey)
    note(packet, device, 'rpf', `no way back by ${device.name} (rp_filter ${filter})`, {
      kernel: '__fib_validate_source',
      ref: rpFilterSetting(device),
    })
  return 'IP_RPFILTER'
}

/** The setting that decides: the greater of `all` and the device's. */
export function rpFilterSetting(device: Device): string {
  const { all } = device.namespace.ipv4
  const whose = all.rp_filter > device.ipv4.conf.rp_filter ? 'all' : device.name
  return `sysctl net/ipv4/conf/${whose}/rp_filter ${Math.max(all.rp_filter, device.ipv4.conf.rp_filter)}`
}

/** Loose: another way back is good enough; whether this device leads there, too, says if the source is a neighbour. */
function byThisDevice(device: Device, flow: Flow): SourceVerdict {
  flow.output = device.index
  const found = device.namespace.fib.search(flow, true)
  return found.error === undefined && found.route?.type === 'unicast' ? verdictOf(found) : SOURCE_FINE
}

const verdictOf = ({ hop }: FibResult): SourceVerdict =>
  hop && hop.scope >= RtScope.host ? SOURCE_ON_LINK : SOURCE_FINE
