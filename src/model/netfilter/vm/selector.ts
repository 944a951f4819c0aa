/** What rules are found by: a field of the packet, read as one value. Two selectors with one key read the same. */
import type { NftExpression } from '../../../kernel/nftables.ts'
import { hostU32 } from './host-order.ts'
import type { Machine } from './machine.ts'
import { NUMBERS, type NumberKey, TEXTS, type TextKey } from './meta.ts'
import { NOWHERE, startOf } from './payload.ts'

type Payload = Extract<NftExpression, { type: 'payload' }>

export interface Selector {
  readonly key: string
  /** Undefined where the packet has none of it: no rule that asks for it matches. */
  read(machine: Machine): number | string | undefined
  /** What `read` answers of a packet that has this, as a rule says it. */
  valueOf(constant: Uint8Array): number | string
}

/** Undefined for fields that are no words. */
export function payloadSelector(payload: Payload, mask: Uint8Array | undefined): Selector | undefined {
  const { base, offset, length } = payload
  if (length !== 1 && length !== 2 && length !== 4) return undefined
  const start = startOf(payload)
  const bits = mask ? numberAt(mask, 0, length) : -1
  return {
    key: `payload ${base} ${offset} ${length} ${bits}`,
    read(machine) {
      const at = start(machine)
      if (at === NOWHERE) return undefined
      const { bytes, end } = machine.packet
      return at + offset + length > end ? undefined : numberAt(bytes, at + offset, length) & bits
    },
    valueOf: (constant) => numberAt(constant, 0, length),
  }
}

/** `length`: how many bytes of the number are looked at. */
export function metaSelector(key: NumberKey, length: number): Selector {
  const number = NUMBERS[key]
  const bits = length === 4 ? -1 : (1 << (8 * length)) - 1
  return {
    key: `meta ${key} ${length}`,
    read(machine) {
      const value = number(machine)
      return value === undefined ? undefined : value & bits
    },
    valueOf(constant) {
      const padded = new Uint8Array(4)
      padded.set(constant)
      return hostU32(padded, 0) | 0
    },
  }
}

export function nameSelector(key: TextKey): Selector {
  return {
    key: `meta ${key}`,
    read: TEXTS[key],
    // What stands behind the first zero byte, no name has: the rule itself will find out.
    valueOf: (constant) => String.fromCharCode(...constant.subarray(0, constant.indexOf(0))),
  }
}

/** Signed. */
function numberAt(bytes: Uint8Array, at: number, length: number): number {
  let number = 0
  for (let i = 0; i < length; i++) number = (number << 8) | bytes[at + i]!
  return number
}
