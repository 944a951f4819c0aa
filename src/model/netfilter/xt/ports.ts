/** `tcp`, `udp`, `multiport`, `icmp`, `tcpmss`. Source: net/netfilter/xt_tcpudp.c, xt_multiport.c, xt_tcpmss.c. */
import type { XtMatch, XtRange } from '../../../kernel/xtables.ts'
import { u16 } from '../../bytes.ts'
import type { Machine, Operation } from '../vm/machine.ts'
import { BREAK, CONTINUE, DROP } from '../vm/verdict.ts'
import { headerOperation } from './transport-header.ts'

type Of<M extends XtMatch['match']> = Extract<XtMatch, { match: M }>
type Ports = Of<'udp'>['sourcePorts']

const TCP_HEADER = 20
const UDP_HEADER = 8
const FLAGS = 13
const DATA_OFFSET = 12
const ANY_ICMP_TYPE = 0xff

export function tcpMatch({ sourcePorts, destinationPorts, flags, option }: Of<'tcp'>): Operation {
  const whole = headerOperation(TCP_HEADER, (bytes, at) => {
    if (!isIn(sourcePorts, u16(bytes, at)) || !isIn(destinationPorts, u16(bytes, at + 2))) return false
    if (!flags) return true
    return ((bytes[at + FLAGS]! & flags.value.mask) === flags.value.set) !== flags.invert
  })
  return (machine) => {
    // A fragment that would overwrite the flags: tcp_mt.
    if (machine.fragmentOffset === 1) return DROP
    const verdict = whole(machine)
    if (verdict !== CONTINUE || option === undefined) return verdict
    if (headerLength(machine) < TCP_HEADER) return DROP
    return findOption(machine, option.value) >= 0 !== option.invert ? CONTINUE : BREAK
  }
}

export function udpMatch({ sourcePorts, destinationPorts }: Of<'udp'>): Operation {
  return headerOperation(
    UDP_HEADER,
    (bytes, at) => isIn(sourcePorts, u16(bytes, at)) && isIn(destinationPorts, u16(bytes, at + 2)),
  )
}

export function multiportMatch({ which, ports, invert }: Of<'multiport'>): Operation {
  const holds = (port: number) => ports.some(({ from, to }) => port >= from && port <= to)
  return headerOperation(
    4,
    (bytes, at) =>
      (which !== 'destination' && holds(u16(bytes, at))) || (which !== 'source' && holds(u16(bytes, at + 2))),
    invert,
  )
}

export function icmpMatch({ icmpType, codes, invert }: Of<'icmp' | 'icmp6'>): Operation {
  return headerOperation(
    4,
    (bytes, at) =>
      icmpType === ANY_ICMP_TYPE ||
      (bytes[at] === icmpType && bytes[at + 1]! >= codes.from && bytes[at + 1]! <= codes.to),
    invert,
  )
}

export function tcpMssMatch({ mss, invert }: Of<'tcpmss'>): Operation {
  const holds = headerOperation(
    TCP_HEADER,
    (bytes, _at, machine) => {
      const at = findOption(machine, MSS_OPTION)
      return at >= 0 && isWithin(mss, u16(bytes, at + 2))
    },
    invert,
  )
  return (machine) => {
    const verdict = holds(machine)
    return verdict !== DROP && machine.fragmentOffset === 0 && headerLength(machine) < TCP_HEADER ? DROP : verdict
  }
}

/** TCPOPT_MSS, TCPOLEN_MSS. */
export const MSS_OPTION = 2
export const MSS_OPTION_LENGTH = 4

/** th->doff, in bytes. */
export function headerLength({ packet: { bytes }, transport }: Machine): number {
  return (bytes[transport + DATA_OFFSET]! >> 4) * 4
}

/** Where the option of this kind begins; -1 where there is none. One that is cut off counts as none. */
function findOption(machine: Machine, kind: number): number {
  const { bytes, end } = machine.packet
  const behind = Math.min(machine.transport + headerLength(machine), end)
  let at = machine.transport + TCP_HEADER
  while (at < behind) {
    const option = bytes[at]!
    if (option === kind) {
      if (kind !== MSS_OPTION) return at
      if (behind - at >= MSS_OPTION_LENGTH && bytes[at + 1] === MSS_OPTION_LENGTH) return at
    }
    at += option < 2 ? 1 : bytes[at + 1] || 1
  }
  return -1
}

function isIn(ports: Ports, port: number): boolean {
  return ports === undefined || isWithin(ports.value, port) !== ports.invert
}

function isWithin({ from, to }: XtRange, value: number): boolean {
  return value >= from && value <= to
}
