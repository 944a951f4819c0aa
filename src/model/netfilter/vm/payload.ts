/** Bytes of the packet: `payload`. Source: net/netfilter/nft_payload.c. */
import type { NftExpression } from '../../../kernel/nftables.ts'
import type { Compiled } from './compile.ts'
import { type Machine, NO_TRANSPORT, type Operation } from './machine.ts'
import type { Registers } from './registers.ts'
import { BREAK, CONTINUE } from './verdict.ts'

type Payload = Extract<NftExpression, { type: 'payload' }>
type PayloadBase = Payload['base']

/** A base that the packet does not have. */
export const NOWHERE = -1

type Start = (machine: Machine) => number

const BASES: { readonly [B in PayloadBase]: Start } = {
  link: ({ packet }) => (packet.link < packet.network ? packet.link : NOWHERE),
  network: ({ packet }) => packet.network,
  transport: (machine) =>
    machine.transportProtocol === NO_TRANSPORT || machine.fragmentOffset !== 0 ? NOWHERE : machine.transport,
}

/** nft_payload_fast_eval, for aligned words: it does not mind that a later fragment has no transport header. */
const fastTransport: Start = (machine) => (machine.transportProtocol === NO_TRANSPORT ? NOWHERE : machine.transport)

export function startOf({ base, offset, length }: Payload): Start {
  const isFast = (length === 1 || length === 2 || length === 4) && offset % length === 0
  return base === 'transport' && isFast ? fastTransport : BASES[base]
}

export function compilePayload(payload: Payload, registers: Registers): Compiled {
  const { offset, length, register } = payload
  const to = registers.store(register, length)
  const start = startOf(payload)
  const behind = (to + length + 3) & ~3
  return {
    operation(machine) {
      const at = start(machine)
      if (at === NOWHERE) return BREAK
      const { bytes, end } = machine.packet
      const from = at + offset
      if (from + length > end) return BREAK
      const target = machine.registers
      for (let i = 0; i < length; i++) target[to + i] = bytes[from + i]!
      for (let i = to + length; i < behind; i++) target[i] = 0
      return CONTINUE
    },
  }
}

/** nft_payload_fast_eval with what follows it: whether the bytes, under a mask, are these. */
export function payloadTest(
  payload: Payload,
  mask: Uint8Array | undefined,
  value: Uint8Array,
  isEqual: boolean,
): Operation {
  const start = startOf(payload)
  const { offset } = payload
  const { length } = value
  const match = isEqual ? CONTINUE : BREAK
  const miss = isEqual ? BREAK : CONTINUE
  if (length === 4) return wordTest(start, offset, mask, value, match, miss)
  return (machine) => {
    const at = start(machine)
    if (at === NOWHERE) return BREAK
    const { bytes, end } = machine.packet
    const from = at + offset
    if (from + length > end) return BREAK
    for (let i = 0; i < length; i++) {
      const byte = mask ? bytes[from + i]! & mask[i]! : bytes[from + i]!
      if (byte !== value[i]) return miss
    }
    return match
  }
}

/** An IPv4 address or prefix, what most rules ask for. */
function wordTest(
  start: Start,
  offset: number,
  mask: Uint8Array | undefined,
  value: Uint8Array,
  match: number,
  miss: number,
): Operation {
  const wanted = word(value, 0)
  const bits = mask ? word(mask, 0) : -1
  if (start === BASES.network) {
    return ({ packet }) => {
      const from = packet.network + offset
      if (from + 4 > packet.end) return BREAK
      return (word(packet.bytes, from) & bits) === wanted ? match : miss
    }
  }
  return (machine) => {
    const at = start(machine)
    if (at === NOWHERE) return BREAK
    const { bytes, end } = machine.packet
    const from = at + offset
    if (from + 4 > end) return BREAK
    return (word(bytes, from) & bits) === wanted ? match : miss
  }
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}
