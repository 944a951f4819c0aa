/**
 * What two stacks choose each for itself when they are asked the same: MACs of their links, ports and identifications,
 * sequence numbers, how much they have room for. Such a value of the one stands for one of the other wherever it is seen: the
 * two are bound at first sight, one to one.
 *
 *   MACs, ports, echo identifiers, IPv4 IDs and fragment IDs, flow labels         one to one; 0 is 0
 *   TCP's sequence numbers, and what an opening or refusing segment acknowledges  one distance for each direction
 *   how far any other segment acknowledges, SACK blocks, PSH                      any: as far as the program had come
 *   TCP's window, window scale and timestamps                                     any
 */
import { sum } from '../../wire/checksum.ts'
import { ethernetHeader } from '../../wire/ethernet.ts'
import { icmpHeader } from '../../wire/icmp.ts'
import { Icmpv6Type } from '../../wire/icmpv6.ts'
import { IpProtocol, ipv4Header } from '../../wire/ipv4.ts'
import { fragmentHeader, ipv6Header } from '../../wire/ipv6.ts'
import { TcpFlag, tcpHeader } from '../../wire/tcp.ts'
import { udpHeader } from '../../wire/udp.ts'
import { type Layer, layersOf, wordAt } from '../layers.ts'
import { carrySums } from '../sums.ts'

/** A field that is a stack's own choice. */
interface Choice {
  readonly at: number
  readonly size: 2 | 4 | 6
  /** What the value is one of; `any` is not bound. */
  readonly pool: 'mac' | 'port' | 'echo' | 'id' | 'label' | 'sequence' | 'any'
  /** Bits of it that are chosen; all where left out. */
  readonly mask?: number
}

const LABEL = 0xfffff
const WORDS = 2 ** 32

/** TCP options: RFC 9293 §3.1, RFC 7323, RFC 2018. */
const NO_OPERATION = 1
const WINDOW_SCALE = 3
const SACK = 5
const TIMESTAMPS = 8

export class StackChoices {
  /** By pool: theirs by ours, and ours by theirs. */
  readonly #bound = new Map<string, Map<number, number>>()
  /** Between the two stacks' sequence numbers: one for each end of a connection. */
  readonly #distances = new Set<number>()

  /** The kernel's frame with the model's choices in it, as far as they stand for what the kernel chose. */
  translated(kernel: Uint8Array, model: Uint8Array): Uint8Array {
    const layers = layersOf(kernel)
    const bytes = kernel.slice()
    for (const choice of layers.flatMap((layer) => choicesOf(kernel, layer))) {
      if (choice.at + choice.size > Math.min(kernel.length, model.length)) continue
      if (this.#binds(choice, numberAt(kernel, choice), numberAt(model, choice))) take(bytes, model, choice)
    }
    carrySums(kernel, bytes, model, layers)
    for (const layer of layers) leaveToDevice(kernel, bytes, model, layer)
    return bytes
  }

  #binds({ pool }: Choice, theirs: number, ours: number): boolean {
    if (pool === 'any') return true
    if (theirs === 0 || ours === 0) return theirs === ours
    if (pool === 'sequence') return this.#isNear((theirs - ours + WORDS) % WORDS)
    const [forward, back] = [this.#map(`${pool} forward`), this.#map(`${pool} back`)]
    if (forward.has(ours) || back.has(theirs)) return forward.get(ours) === theirs && back.get(theirs) === ours
    forward.set(ours, theirs)
    back.set(theirs, ours)
    return true
  }

  #isNear(distance: number): boolean {
    if (this.#distances.has(distance)) return true
    if (this.#distances.size >= 2) return false
    this.#distances.add(distance)
    return true
  }

  #map(name: string): Map<number, number> {
    const known = this.#bound.get(name) ?? new Map<number, number>()
    this.#bound.set(name, known)
    return known
  }
}

function choicesOf(bytes: Uint8Array, { protocol, at, behind }: Layer): Choice[] {
  switch (protocol) {
    case 'ethernet': {
      const { destination, source } = ethernetHeader.offsets
      return [destination, source].map((offset) => ({ at: at + offset, size: 6, pool: 'mac' }))
    }
    case 'ipv4':
      return [{ at: at + ipv4Header.offsets.identification, size: 2, pool: 'id' }]
    case 'ipv6':
      return [{ at: at + ipv6Header.offsets.versionClassLabel, size: 4, pool: 'label', mask: LABEL }]
    case 'fragment':
      return [{ at: at + fragmentHeader.offsets.identification, size: 4, pool: 'id' }]
    case 'udp':
      return portsAt(at)
    case 'tcp':
      return [
        ...portsAt(at),
        { at: at + tcpHeader.offsets.sequence, size: 4, pool: 'sequence' },
        { at: at + tcpHeader.offsets.acknowledgment, size: 4, pool: isOpening(bytes, at) ? 'sequence' : 'any' },
        { at: at + tcpHeader.offsets.offsetAndFlags, size: 2, pool: 'any', mask: TcpFlag.psh },
        { at: at + tcpHeader.offsets.window, size: 2, pool: 'any' },
        ...ofOptions(bytes, at + tcpHeader.size, behind),
      ]
    case 'icmp':
      if (bytes[at] !== 0 && bytes[at] !== 8) return []
      return [{ at: at + icmpHeader.offsets.rest, size: 2, pool: 'echo' }]
    case 'icmpv6':
      if (bytes[at] !== Icmpv6Type.echoRequest && bytes[at] !== Icmpv6Type.echoReply) return []
      return [{ at: behind, size: 2, pool: 'echo' }]
    default:
      return []
  }
}

const isOpening = (bytes: Uint8Array, tcp: number) => ((bytes[tcp + 13] ?? 0) & (TcpFlag.syn | TcpFlag.rst)) !== 0

function portsAt(at: number): Choice[] {
  const { sourcePort, destinationPort } = udpHeader.offsets
  return [sourcePort, destinationPort].map((offset) => ({ at: at + offset, size: 2, pool: 'port' }))
}

/** A window scale is a byte: the word from its length on. */
function ofOptions(bytes: Uint8Array, start: number, end: number): Choice[] {
  const choices: Choice[] = []
  for (let at = start; at + 1 < end && bytes[at] !== 0; ) {
    if (bytes[at] === WINDOW_SCALE) choices.push({ at: at + 1, size: 2, pool: 'any' })
    if (bytes[at] === SACK) {
      for (let edge = at + 2; edge + 4 <= at + bytes[at + 1]!; edge += 4)
        choices.push({ at: edge, size: 4, pool: 'any' })
    }
    if (bytes[at] === TIMESTAMPS) for (const offset of [2, 6]) choices.push({ at: at + offset, size: 4, pool: 'any' })
    at += bytes[at] === NO_OPERATION ? 1 : Math.max(2, bytes[at + 1]!)
  }
  return choices
}

/** Network order; of a MAC less than 2^48. */
function numberAt(bytes: Uint8Array, { at, size, mask }: Choice): number {
  let number = 0
  for (let i = at; i < at + size; i++) number = number * 256 + bytes[i]!
  return mask === undefined ? number : number & mask
}

function take(bytes: Uint8Array, from: Uint8Array, { at, size, mask }: Choice): void {
  if (mask === undefined) {
    bytes.set(from.subarray(at, at + size), at)
    return
  }
  for (let i = 0; i < size; i++) {
    const bits = (mask >>> (8 * (size - 1 - i))) & 0xff
    bytes[at + i] = (bytes[at + i]! & ~bits) | (from[at + i]! & bits)
  }
}

/**
 * A checksum that the kernel leaves to a device is the pseudo-header's sum so far: CHECKSUM_PARTIAL. The model, whose
 * devices compute none, has the whole one.
 */
function leaveToDevice(kernel: Uint8Array, bytes: Uint8Array, model: Uint8Array, layer: Layer): void {
  const { protocol, at, end, addresses } = layer
  if ((protocol !== 'tcp' && protocol !== 'udp') || !addresses || model.length !== kernel.length) return
  const place = at + (protocol === 'tcp' ? tcpHeader : udpHeader).offsets.checksum
  if (place + 2 > end) return
  const pseudo = sum(kernel.subarray(...addresses), IpProtocol[protocol] + end - at)
  if (wordAt(kernel, place) === pseudo) bytes.set(model.subarray(place, place + 2), place)
}
