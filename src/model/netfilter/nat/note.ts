/** Translations in journeys: what changed, and by which rule. */
import { u16 } from '../../bytes.ts'
import type { Device } from '../../device/device.ts'
import { note } from '../../observer.ts'
import type { Packet } from '../../packet.ts'
import { type Connection, Direction, type DirectionNumber } from '../conntrack/connection.ts'
import { locate } from '../conntrack/headers.ts'
import { type Address, addressAt, formatAddress, hasPorts, Protocol, sameAddress } from '../conntrack/tuple.ts'
import type { NatKind } from './range.ts'

/** To be called before the packet is changed. */
export function noteTranslation(
  packet: Packet,
  device: Device,
  connection: Connection,
  kind: NatKind,
  direction: DirectionNumber,
  address: Address,
  part: number,
  isError: boolean,
): void {
  const { bytes, network, end } = packet
  const { family, protocol } = connection.original
  const source = kind === 'snat'
  const layer = family === 'ip' ? 'ip' : 'ipv6'
  const at = network + (family === 'ip' ? 12 : 8) + (source ? 0 : family === 'ip' ? 4 : 16)
  const set: Record<string, readonly [unknown, unknown]> = {}
  const before = addressAt(family, bytes, at)
  if (!sameAddress(before, address))
    set[`${layer}.${source ? 'src' : 'dst'}`] = [formatAddress(before), formatAddress(address)]
  const transport = locate(family, bytes, network, end)
  if (!isError && transport >= 0 && hasPorts(protocol)) {
    const field = `${protocol === Protocol.tcp ? 'tcp' : 'udp'}.${source ? 'srcport' : 'dstport'}`
    const port = u16(bytes, transport + (source ? 0 : 2))
    if (port !== part) set[field] = [port, part]
  }
  // Over loopback it comes by a second time.
  if (Object.keys(set).length === 0) return
  const original = direction === Direction.original
  // An answer's source was the destination that was translated.
  const byDestination = source !== original
  const done = byDestination ? 'DNAT' : 'SNAT'
  const target = hasPorts(protocol) ? joinPort(address, part) : formatAddress(address)
  note(
    packet,
    device,
    'nat',
    original ? `${done} to ${target}` : `${done} undone: ${source ? 'from' : 'to'} ${target}`,
    {
      kernel: isError ? 'nf_nat_icmp_reply_translation' : 'nf_nat_manip_pkt',
      ref: (byDestination ? connection.destinationNatRule : connection.sourceNatRule) ?? connection.ref,
      set,
    },
  )
}

function joinPort(address: Address, port: number): string {
  return typeof address === 'number' ? `${formatAddress(address)}:${port}` : `[${formatAddress(address)}]:${port}`
}
