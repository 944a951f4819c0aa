/** `physdev`, `pkttype`, `mark`: what is known of the packet. Source: net/netfilter/xt_physdev.c, xt_pkttype.c, xt_mark.c. */
import type { XtMatch } from '../../../kernel/xtables.ts'
import { PacketFor } from '../../packet.ts'
import type { Operation } from '../vm/machine.ts'
import { packetType } from '../vm/meta.ts'
import { BREAK, CONTINUE } from '../vm/verdict.ts'

type Of<M extends XtMatch['match']> = Extract<XtMatch, { match: M }>
type Condition = { readonly value: unknown; readonly invert: boolean } | undefined

const PACKET_TYPES = {
  unicast: PacketFor.host,
  broadcast: PacketFor.broadcast,
  multicast: PacketFor.multicast,
  otherhost: PacketFor.otherhost,
} as const

export function markMatch({ mark, mask, invert }: Of<'mark' | 'connmark'>): Operation {
  return ({ packet }) => (((packet.mark & mask) >>> 0 === mark) !== invert ? CONTINUE : BREAK)
}

export function packetTypeMatch({ packetType: wanted, invert }: Of<'pkttype'>): Operation {
  const type = PACKET_TYPES[wanted]
  return (machine) => ((packetType(machine) === type) !== invert ? CONTINUE : BREAK)
}

/** physdev_mt. */
export function physdevMatch({ input, output, isIn, isOut, isBridged }: Of<'physdev'>): Operation {
  // A packet that is not bridged has none of it.
  const absent = [isBridged, isIn, isOut, input, output].every((condition) => !condition || condition.invert)
  const isInput = input && nameTest(input.value)
  const isOutput = output && nameTest(output.value)
  return ({ packet: { bridged } }) => {
    if (!bridged) return absent ? CONTINUE : BREAK
    const [from, to] = [bridged.input?.name, bridged.output?.name]
    if (!holds(isBridged, to !== undefined)) return BREAK
    if (!holds(isIn, from !== undefined) || !holds(isOut, to !== undefined)) return BREAK
    if (isInput && from !== undefined && isInput(from) === input.invert) return BREAK
    if (!isOutput) return CONTINUE
    return to !== undefined && isOutput(to) !== output.invert ? CONTINUE : BREAK
  }
}

function holds(condition: Condition, is: boolean): boolean {
  return condition === undefined || is !== condition.invert
}

/** `veth+` stands for all names that begin so. */
function nameTest(pattern: string): (name: string) => boolean {
  if (!pattern.endsWith('+')) return (name) => name === pattern
  const start = pattern.slice(0, -1)
  return (name) => name.startsWith(start)
}
