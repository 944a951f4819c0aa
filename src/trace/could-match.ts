/**
 * Whether a rule could have been about a packet: its expressions on headers, held against the frame. What is not a question
 * of the frame (connections, limits, sets …) is taken for a yes.
 */
import type { NftExpression } from '../kernel/nftables.ts'
import { IpProtocol } from '../wire/ipv4.ts'
import { readHeaders } from './summary.ts'

/** NFT_REG_1 … 4 are four registers of 4 bytes each: registers 8, 12, 16 and 20. */
const offsetOf = (register: number) => (register >= 8 ? (register - 8) * 4 : (register - 1) * 16)

type Known = { readonly bytes: Uint8Array } | undefined

export function couldMatch(
  expressions: readonly NftExpression[],
  frame: Uint8Array,
  network: number,
  /** Whether a packet of any protocol and port will do. */
  options: { readonly anyPort?: boolean } = {},
): boolean {
  const { anyPort = false } = options
  const registers = new Map<number, Known>()
  for (const expression of expressions) {
    switch (expression.type) {
      case 'payload': {
        const { base, offset, length, register } = expression
        const isPort = base === 'transport' || (base === 'network' && offset === PROTOCOL_AT)
        registers.set(offsetOf(register), anyPort && isPort ? undefined : payload(frame, network, base, offset, length))
        break
      }
      case 'meta':
        registers.set(offsetOf(expression.register), anyPort ? undefined : meta(expression.key, frame, network))
        break
      case 'bitwise': {
        const source = registers.get(offsetOf(expression.source))
        const { mask, xor } = expression
        const bytes = source?.bytes.map((byte, i) => (byte & mask[i]!) ^ xor[i]!)
        registers.set(offsetOf(expression.register), bytes && { bytes })
        break
      }
      case 'cmp': {
        const known = registers.get(offsetOf(expression.register))
        if (known && !holds(expression.operator, compareBytes(known.bytes, expression.value))) return false
        break
      }
      case 'xt match':
        if (expression.match === 'icmp' && !anyPort && !isIcmp(expression, frame, network)) return false
        if ((expression.match === 'tcp' || expression.match === 'udp') && !anyPort) {
          if (!hasPorts(expression, frame, network)) return false
        }
        break
    }
  }
  return true
}

function payload(frame: Uint8Array, network: number, base: string, offset: number, length: number): Known {
  const start = base === 'network' ? network : base === 'link' ? 0 : readHeaders(frame, network)?.transport
  if (start === undefined || start + offset + length > frame.length) return undefined
  return { bytes: frame.slice(start + offset, start + offset + length) }
}

function meta(key: string, frame: Uint8Array, network: number): Known {
  const headers = readHeaders(frame, network)
  return key === 'l4proto' && headers ? { bytes: Uint8Array.of(headers.protocol) } : undefined
}

/** Of the IPv4 header. */
const PROTOCOL_AT = 9

type PortMatch = Extract<NftExpression, { type: 'xt match'; match: 'tcp' | 'udp' }>

function hasPorts({ match, sourcePorts, destinationPorts }: PortMatch, frame: Uint8Array, network: number): boolean {
  const headers = readHeaders(frame, network)
  if (headers?.protocol !== IpProtocol[match]) return false
  return [[sourcePorts, headers.sourcePort] as const, [destinationPorts, headers.destinationPort] as const].every(
    ([ports, port]) => {
      if (!ports || port === undefined) return true
      return (port >= ports.value.from && port <= ports.value.to) !== ports.invert
    },
  )
}

function isIcmp(
  { icmpType, codes, invert }: { icmpType: number; codes: { from: number; to: number }; invert: boolean },
  frame: Uint8Array,
  network: number,
): boolean {
  const headers = readHeaders(frame, network)
  if (headers?.transport === undefined || headers.protocol !== 1) return false
  const [type, code] = [frame[headers.transport]!, frame[headers.transport + 1]!]
  const same = (icmpType === 255 || type === icmpType) && code >= codes.from && code <= codes.to
  return same !== invert
}

/** Of as many bytes as the value has. */
function compareBytes(bytes: Uint8Array, value: Uint8Array): number {
  for (let i = 0; i < value.length; i++) {
    const difference = (bytes[i] ?? 0) - value[i]!
    if (difference !== 0) return difference
  }
  return 0
}

function holds(operator: Extract<NftExpression, { type: 'cmp' }>['operator'], order: number): boolean {
  switch (operator) {
    case 'eq':
      return order === 0
    case 'neq':
      return order !== 0
    case 'lt':
      return order < 0
    case 'lte':
      return order <= 0
    case 'gt':
      return order > 0
    case 'gte':
      return order >= 0
  }
}
