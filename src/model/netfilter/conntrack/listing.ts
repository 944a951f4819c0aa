/** Connections as `conntrack -L` shows them: src/kernel/conntrack.ts. */
import { parseIp } from '../../../address/ip.ts'
import {
  type Conntrack,
  type ConntrackEntry,
  type ConntrackTuple,
  TCP_CONNTRACK_STATES,
} from '../../../kernel/conntrack.ts'
import { u32 } from '../../bytes.ts'
import { SECOND } from '../../clock.ts'
import { type Connection, Status } from './connection.ts'
import { type Address, formatAddress, hasPorts, isIcmp, Tuple } from './tuple.ts'

export function listConnections(
  connections: Iterable<Connection>,
  now: number,
  { family, protocol }: NonNullable<Parameters<Conntrack['list']>[0]>,
): ConntrackEntry[] {
  const entries: ConntrackEntry[] = []
  for (const connection of connections) {
    const { original } = connection
    if (family !== undefined && (original.family === 'ip' ? 'ipv4' : 'ipv6') !== family) continue
    if (protocol !== undefined && original.protocol !== protocol) continue
    entries.push(entryOf(connection, now))
  }
  return entries
}

function entryOf(connection: Connection, now: number): ConntrackEntry {
  const { original, reply, status, tcp, zone } = connection
  return {
    family: original.family === 'ip' ? 'ipv4' : 'ipv6',
    protocol: original.protocol,
    original: textOf(original),
    reply: textOf(reply),
    ...(tcp && { state: TCP_CONNTRACK_STATES[tcp.state]! }),
    timeout: Math.floor((connection.timeout - now) / SECOND),
    mark: connection.mark,
    seenReply: (status & Status.seenReply) !== 0,
    assured: (status & Status.assured) !== 0,
    ...(zone !== 0 && { zone }),
  }
}

function textOf({ protocol, source, destination, sourcePart, destinationPart }: Tuple): ConntrackTuple {
  const ends = { source: formatAddress(source), destination: formatAddress(destination) }
  if (hasPorts(protocol)) return { ...ends, sourcePort: sourcePart, destinationPort: destinationPart }
  if (!isIcmp(protocol)) return ends
  return { ...ends, icmpType: destinationPart >>> 8, icmpCode: destinationPart & 0xff, icmpId: sourcePart }
}

/** The tuple that an entry's original direction says. */
export function tupleOf({ family, protocol, original }: Parameters<Conntrack['delete']>[0]): Tuple {
  const icmp = isIcmp(protocol)
  return new Tuple(
    family === 'ipv4' ? 'ip' : 'ip6',
    protocol,
    addressOf(original.source),
    addressOf(original.destination),
    (icmp ? original.icmpId : original.sourcePort) ?? 0,
    icmp ? ((original.icmpType ?? 0) << 8) | (original.icmpCode ?? 0) : (original.destinationPort ?? 0),
  )
}

function addressOf(text: string): Address {
  const bytes = parseIp(text)
  return bytes.length === 4 ? u32(bytes, 0) : bytes
}
