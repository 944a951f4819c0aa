/** `addrtype`, `rpfilter`: what routing says of the packet's addresses. Source: net/netfilter/xt_addrtype.c, net/ipv4/netfilter/ipt_rpfilter.c. */
import type { XtAddressType, XtMatch } from '../../../kernel/xtables.ts'
import { u32 } from '../../bytes.ts'
import type { Device } from '../../device/device.ts'
import { isAny, isMulticast } from '../../ipv6/address.ts'
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
import { DESTINATION6, findRoute6, isLinkLocalAt, SOURCE6, typeOfAddress6 } from '../vm/routes6.ts'
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
  return ofIp('xt addrtype', (machine) => {
    const { packet, namespace, input, output } = machine
    const { bytes, network } = packet
    const device = limitInterface === 'in' ? input : limitInterface === 'out' ? output : undefined
    if (machine.protocol === NetfilterProtocol.ip6) {
      const isOf6 = (at: number, types: number) => hasTypes6(machine, at, types, device)
      if (sources !== undefined && isOf6(SOURCE6, sources) === source!.invert) return false
      return destinations === undefined || isOf6(DESTINATION6, destinations) !== destination!.invert
    }
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
    if (machine.protocol === NetfilterProtocol.ip6) return isGood6(machine)
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
  /** rpfilter_lookup_reverse6. */
  const isGood6 = ({ packet, namespace, input }: Machine): boolean => {
    if (isAny(packet.bytes, packet.network + SOURCE6)) return true
    const device = !loose || isLinkLocalAt(packet, SOURCE6) ? input : undefined
    const found = findRoute6(namespace, packet, { towards: SOURCE6, mark: validMark ? packet.mark : 0, device })
    if (found.error !== undefined || !found.route || found.route.type === 'anycast') return false
    if (found.route.type === 'local' && !acceptLocal) return false
    return loose || found.route.device === input
  }
  return ofIp('xt rpfilter', (machine) => isGood(machine) !== invert)
}

/** match_type6: routing is asked for what it alone can tell. */
function hasTypes6({ packet, namespace }: Machine, at: number, types: number, device: Device | undefined): boolean {
  const { bytes, network } = packet
  const wants = (type: XtAddressType) => (types & (1 << TYPES[type])) !== 0
  const multicast = isMulticast(bytes, network + at)
  const any = isAny(bytes, network + at)
  if (wants('MULTICAST') && !multicast) return false
  if (wants('UNICAST') && (multicast || any)) return false
  if (wants('UNSPEC') && !any) return false
  if (!wants('LOCAL') && !wants('ANYCAST') && !wants('UNREACHABLE')) return true
  return (types & (1 << typeOfAddress6(namespace, packet, at, device, device))) !== 0
}

function ofIp(thing: string, holds: (machine: Machine) => boolean): Operation {
  return (machine) => {
    const { protocol } = machine
    if (protocol === NetfilterProtocol.ip || protocol === NetfilterProtocol.ip6)
      return holds(machine) ? CONTINUE : BREAK
    unsupported(machine.packet, thing)
    return STOLEN
  }
}

function bitsOf(types: readonly XtAddressType[]): number {
  return types.reduce((bits, type) => bits | (1 << TYPES[type]), 0)
}
