/** `addrtype`, `rpfilter`: what routing says of the packet's addresses. Source: net/netfilter/xt_addrtype.c, net/ipv4/netfilter/ipt_rpfilter.c. */
import type { XtAddressType, XtMatch } from '../../../kernel/xtables.ts'
import { u32 } from '../../bytes.ts'
import { unsupported } from '../../observer.ts'
import { isFromLoopback } from '../vm/fib.ts'
import { type Machine, NetfilterProtocol, type Operation } from '../vm/machine.ts'
import {
  DESTINATION,
  findRoute,
  isLocalMulticast,
  isZeroNet,
  LIMITED_BROADCAST,
  LOOPBACK_INDEX,
  SOURCE,
  typeOfAddress,
  usesDevice,
} from '../vm/routes.ts'
import { BREAK, CONTINUE, STOLEN } from '../vm/verdict.ts'

type Of<M extends XtMatch['match']> = Extract<XtMatch, { match: M }>

/** RTN_*. */
const TYPES: { readonly [T in XtAddressType]: number } = {
  UNSPEC: 0,
  UNICAST: 1,
  LOCAL: 2,
  BROADCAST: 3,
  ANYCAST: 4,
  MULTICAST: 5,
  BLACKHOLE: 6,
  UNREACHABLE: 7,
  PROHIBIT: 8,
}

export function addressTypeMatch({ source, destination, limitInterface }: Of<'addrtype'>): Operation {
  const sources = source && bitsOf(source.value)
  const destinations = destination && bitsOf(destination.value)
  return ipv4Only('xt addrtype of IPv6', ({ packet, namespace, input, output }) => {
    const { bytes, network } = packet
    const device = limitInterface === 'in' ? input : limitInterface === 'out' ? output : undefined
    const isOf = (at: number, types: number) =>
      (types & (1 << typeOfAddress(namespace, u32(bytes, network + at), device))) !== 0
    if (sources !== undefined && isOf(SOURCE, sources) === source!.invert) return false
    return destinations === undefined || isOf(DESTINATION, destinations) !== destination!.invert
  })
}

export function rpfilterMatch({ loose, validMark, acceptLocal, invert }: Of<'rpfilter'>): Operation {
  const isGood = (machine: Machine): boolean => {
    const { packet, namespace, input } = machine
    if (isFromLoopback(machine)) return true
    const destination = u32(packet.bytes, packet.network + DESTINATION)
    if (isZeroNet(u32(packet.bytes, packet.network + SOURCE))) {
      if (destination === LIMITED_BROADCAST || isLocalMulticast(destination)) return true
    }
    const mark = validMark ? packet.mark : 0
    const found = findRoute(namespace, packet, { towards: SOURCE, mark, output: 0, input: LOOPBACK_INDEX })
    if (found.error !== undefined) return false
    const type = found.route?.type
    if (type !== 'unicast' && !(type === 'local' && acceptLocal)) return false
    return loose || (input !== undefined && usesDevice(found, input))
  }
  return ipv4Only('xt rpfilter of IPv6', (machine) => isGood(machine) !== invert)
}

function ipv4Only(thing: string, holds: (machine: Machine) => boolean): Operation {
  return (machine) => {
    if (machine.protocol === NetfilterProtocol.ip) return holds(machine) ? CONTINUE : BREAK
    unsupported(machine.packet, thing)
    return STOLEN
  }
}

function bitsOf(types: readonly XtAddressType[]): number {
  return types.reduce((bits, type) => bits | (1 << TYPES[type]), 0)
}
