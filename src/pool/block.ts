/**
 * Blocks: the small prefixes that a pool is cut into, each a node's, with who has which of their addresses.
 *
 * An address is known by its ordinal in the block, 0 being the first. Those that are free wait in a queue: the one that was
 * released last is given out last, so that packets to the container that had it before do not reach another one soon.
 *
 * Every change of a block gives it the next sequence number, and an address keeps the one that it was given out with. Who
 * releases it by that number releases what he means: not what was given out again meanwhile.
 *
 * The JSON is Calico's AllocationBlock: libcalico-go/lib/backend/model/block.go.
 */
import { type Family, formatIp, ipFromBigInt, ipToBigInt, parseIp } from '../address/ip.ts'
import { contains, hostBits, parsePrefix } from '../address/prefix.ts'
import type { Entry } from '../store/store.ts'
import { familyOfCidr } from './keys.ts'
import { damaged, type Fields, fieldsOf, isCount, isObject, isTexts } from './stored.ts'

export interface Block {
  /** As address/prefix.ts formats it. */
  readonly cidr: string
  /** Whose it is. undefined: nobody's; it goes when its last address is released. */
  readonly node: string | undefined
  /** By ordinal. */
  readonly allocations: ReadonlyMap<number, Allocation>
  /** Ordinals, in the order in which they are given out. */
  readonly unallocated: readonly number[]
  readonly sequence: number
}

export interface Allocation {
  /** Of whom: handle.ts. */
  readonly handle: string
  readonly attributes: Attributes
  /** The block's when it was given out. */
  readonly sequence: number
}

/** `node` is where it is used; the others are for people: `pod`, `namespace`, … */
export type Attributes = Readonly<Record<string, string>> & { readonly node: string }

/** Calico's word before a node's name. */
const HOST = 'host:'

/** Ordinals of a block at most: the largest is a /20 or a /116. */
const LARGEST_BITS = 12

/** `sequence`: greater than that of any block of this prefix before. */
export function newBlock(cidr: string, node: string, sequence: number): Block {
  const unallocated = Array.from({ length: sizeOf(cidr) }, (_, ordinal) => ordinal)
  return { cidr, node, allocations: new Map(), unallocated, sequence }
}

export function isEmpty({ allocations }: Block): boolean {
  return allocations.size === 0
}

export function withOwner(block: Block, node: string | undefined): Block {
  return { ...block, node, sequence: block.sequence + 1 }
}

/** Gives out the address of this ordinal, which is free. */
export function allocate(block: Block, ordinal: number, handle: string, attributes: Attributes): Block {
  const sequence = block.sequence + 1
  return {
    ...block,
    allocations: new Map(block.allocations).set(ordinal, { handle, attributes, sequence }),
    unallocated: block.unallocated.filter((each) => each !== ordinal),
    sequence,
  }
}

/** Takes back the addresses of these ordinals, which are given out. */
export function release(block: Block, ordinals: readonly number[]): Block {
  const allocations = new Map(block.allocations)
  for (const ordinal of ordinals) allocations.delete(ordinal)
  return { ...block, allocations, unallocated: [...block.unallocated, ...ordinals], sequence: block.sequence + 1 }
}

export function ordinalsOf({ allocations }: Block, isMeant: (allocation: Allocation) => boolean): number[] {
  return [...allocations].filter(([, allocation]) => isMeant(allocation)).map(([ordinal]) => ordinal)
}

export function addressAt({ cidr }: Pick<Block, 'cidr'>, ordinal: number): string {
  const { address } = parsePrefix(cidr)
  return formatIp(ipFromBigInt(ipToBigInt(address) + BigInt(ordinal), familyOfCidr(cidr)))
}

/** undefined when the address is not in the block. */
export function ordinalOf({ cidr }: Pick<Block, 'cidr'>, address: string): number | undefined {
  const prefix = parsePrefix(cidr)
  const ip = parseIp(address)
  return contains(prefix, ip) ? Number(ipToBigInt(ip) - ipToBigInt(prefix.address)) : undefined
}

export function familyOfBlock({ cidr }: Pick<Block, 'cidr'>): Family {
  return familyOfCidr(cidr)
}

export function formatBlock({ cidr, node, allocations, unallocated, sequence }: Block): string {
  const attributes: string[] = [] // each once, as JSON text
  const numbered = (text: string) => {
    const index = attributes.indexOf(text)
    return index < 0 ? attributes.push(text) - 1 : index
  }
  const slots: (number | null)[] = new Array(sizeOf(cidr)).fill(null)
  const sequences: Record<string, number> = {}
  for (const [ordinal, { handle, attributes, sequence }] of allocations) {
    slots[ordinal] = numbered(JSON.stringify({ handle_id: handle, secondary: attributes }))
    sequences[ordinal] = sequence
  }
  const fields = {
    cidr,
    affinity: node === undefined ? null : HOST + node,
    allocations: slots,
    unallocated,
    attributes: attributes.map((text) => JSON.parse(text) as unknown),
    sequenceNumber: sequence,
    sequenceNumberForAllocation: sequences,
    deleted: false,
  }
  return JSON.stringify(fields)
}

/** PoolError `damaged` for what is none, or contradicts itself: giving out addresses by it might give one twice. */
export function parseBlock(entry: Entry): Block {
  const fields = fieldsOf(entry)
  const { cidr, affinity, allocations: slots, unallocated, attributes, sequenceNumber } = fields
  const bad = (why: string) => damaged(entry.key, why)
  if (typeof cidr !== 'string') throw bad('its "cidr" is no text')
  if (affinity !== null && !(typeof affinity === 'string' && affinity.startsWith(HOST))) {
    throw bad('its "affinity" is no "host:…"')
  }
  if (!Array.isArray(slots) || slots.length !== sizeOf(cidr))
    throw bad('its "allocations" are not as many as it has addresses')
  if (!Array.isArray(attributes) || !Array.isArray(unallocated)) throw bad('it has no "attributes" or no "unallocated"')
  if (!isCount(sequenceNumber)) throw bad('its "sequenceNumber" is no number')
  const known = attributes.map((each) => parseAttributes(each))
  const allocations = new Map<number, Allocation>()
  for (const [ordinal, slot] of slots.entries()) {
    if (slot === null) continue
    const given = known[slot as number]
    if (!given) throw bad(`the address of ordinal ${ordinal} has no attributes`)
    allocations.set(ordinal, { ...given, sequence: sequenceFor(fields, ordinal) })
  }
  const free = new Set<unknown>(unallocated)
  const isPartition = slots.every((slot, ordinal) => free.has(ordinal) === (slot === null))
  if (!isPartition || free.size !== unallocated.length || free.size + allocations.size !== slots.length) {
    throw bad('its "unallocated" are not those that its "allocations" leave')
  }
  const node = affinity === null ? undefined : affinity.slice(HOST.length)
  return { cidr, node, allocations, unallocated: unallocated as number[], sequence: sequenceNumber }
}

function parseAttributes(value: unknown): Omit<Allocation, 'sequence'> | undefined {
  if (!isObject(value)) return undefined
  const { handle_id: handle, secondary } = value
  if (typeof handle !== 'string' || !isTexts(secondary)) return undefined
  return { handle, attributes: { ...secondary, node: secondary.node ?? '' } }
}

function sequenceFor({ sequenceNumberForAllocation: numbers }: Fields, ordinal: number): number {
  const number = isObject(numbers) ? numbers[ordinal] : undefined
  return isCount(number) ? number : 0
}

function sizeOf(cidr: string): number {
  return 2 ** Math.min(hostBits(parsePrefix(cidr)), LARGEST_BITS)
}
