/**
 * Expressions that the interface has no words for, from their attributes: `notrack`, `numgen`, `hash`, `byteorder`, `dynset`.
 * Source: net/netfilter/nft_ct.c, nft_numgen.c, nft_hash.c, nft_byteorder.c, nft_dynset.c.
 *
 * What is not here is not modelled: a packet that comes so far ends there, by name.
 */
import { u32 } from '../../bytes.ts'
import { jhash2 } from '../jhash.ts'
import { notrack } from '../xt/target.ts'
import type { Compiled, Surroundings } from './compile.ts'
import { compileDynset } from './dynset.ts'
import { hostU32, setHostU32 } from './host-order.ts'
import { notModelled } from './not-modelled.ts'
import { refusal } from './refusal.ts'
import type { Registers } from './registers.ts'
import { CONTINUE } from './verdict.ts'

/** NLA_TYPE_MASK: without the flags of a type. */
const TYPE_MASK = 0x3fff
const ATTRIBUTE_HEADER = 4

/** NFT_NG_RANDOM. */
const RANDOM = 1
/** NFT_HASH_JENKINS. */
const JENKINS = 0

/** Attributes by type. Their header is in the machine's byte order, their numbers in the network's. */
export class ExpressionAttributes {
  readonly #values = new Map<number, Uint8Array>()

  constructor(data: Uint8Array) {
    for (let at = 0; at + ATTRIBUTE_HEADER <= data.length; ) {
      const length = data[at]! | (data[at + 1]! << 8)
      if (length < ATTRIBUTE_HEADER || at + length > data.length) throw refusal('EINVAL')
      const type = (data[at + 2]! | (data[at + 3]! << 8)) & TYPE_MASK
      this.#values.set(type, data.subarray(at + ATTRIBUTE_HEADER, at + length))
      at += (length + 3) & ~3
    }
  }

  has(type: number): boolean {
    return this.#values.has(type)
  }

  /** EINVAL where a number is wanted and none is there. */
  u32(type: number, absent?: number): number {
    const value = this.#values.get(type)
    if (value === undefined && absent !== undefined) return absent
    if (value?.length !== 4) throw refusal('EINVAL')
    return u32(value, 0)
  }

  /** A number of 64 bits that a double holds. */
  u64(type: number): number {
    const value = this.#values.get(type)
    if (value === undefined) return 0
    if (value.length !== 8) throw refusal('EINVAL')
    return u32(value, 0) * 2 ** 32 + u32(value, 4)
  }

  text(type: number): string {
    const value = this.#values.get(type) ?? new Uint8Array()
    const end = value.indexOf(0)
    return String.fromCharCode(...(end < 0 ? value : value.subarray(0, end)))
  }
}

export function compileOther(
  name: string,
  data: Uint8Array,
  registers: Registers,
  surroundings: Surroundings,
): Compiled {
  const attributes = new ExpressionAttributes(data)
  switch (name) {
    case 'notrack':
      return { operation: notrack }
    case 'numgen':
      return compileNumgen(attributes, registers, surroundings)
    case 'hash':
      return compileHash(attributes, registers, surroundings)
    case 'byteorder':
      return compileByteorder(attributes, registers)
    case 'dynset':
      return compileDynset(attributes, registers, surroundings)
    default:
      return { operation: notModelled(`nft expression ${name}`) }
  }
}

function compileNumgen(attributes: ExpressionAttributes, registers: Registers, { namespace }: Surroundings): Compiled {
  const modulus = attributes.u32(2)
  const offset = attributes.u32(4, 0)
  if (modulus === 0) throw refusal('ERANGE')
  if (offset + modulus - 1 > 0xffff_ffff) throw refusal('EOVERFLOW')
  const at = registers.store(attributes.u32(1), 4)
  const { random } = namespace.model
  let count = modulus - 1
  const isRandom = attributes.u32(3) === RANDOM
  return {
    operation({ registers: bytes }) {
      if (!isRandom) count = count + 1 < modulus ? count + 1 : 0
      setHostU32(bytes, at, offset + (isRandom ? random.below('statistic', modulus) : count))
      return CONTINUE
    },
  }
}

function compileHash(attributes: ExpressionAttributes, registers: Registers, { namespace }: Surroundings): Compiled {
  const modulus = attributes.u32(4)
  const offset = attributes.u32(6, 0)
  if (attributes.u32(7, JENKINS) !== JENKINS) return { operation: notModelled('nft symhash') }
  if (modulus < 1) throw refusal('ERANGE')
  if (offset + modulus - 1 > 0xffff_ffff) throw refusal('EOVERFLOW')
  const length = attributes.u32(3)
  const from = registers.load(attributes.u32(1), length)
  const at = registers.store(attributes.u32(2), 4)
  // Of whole words jhash and jhash2 are the same.
  if (length % 4 !== 0) return { operation: notModelled('nft jhash of less than whole words') }
  const words = new Array<number>(length / 4).fill(0)
  const seed = attributes.has(5) ? attributes.u32(5) : namespace.model.random.bits('flowHash')
  return {
    operation({ registers: bytes }) {
      for (let i = 0; i < words.length; i++) words[i] = hostU32(bytes, from + 4 * i)
      const hash = jhash2(words, seed)
      // reciprocal_scale
      setHostU32(bytes, at, offset + Math.floor((hash / 2 ** 32) * modulus))
      return CONTINUE
    },
  }
}

/** From the network's byte order to the machine's or back, which is the same. */
function compileByteorder(attributes: ExpressionAttributes, registers: Registers): Compiled {
  const [length, size] = [attributes.u32(4), attributes.u32(5)]
  if (![2, 4, 8].includes(size)) throw refusal('EINVAL')
  const from = registers.load(attributes.u32(1), length)
  const to = registers.store(attributes.u32(2), length)
  const turned = new Uint8Array(64)
  return {
    operation({ registers: bytes }) {
      for (let i = 0; i < length; i++) turned[i] = bytes[from + i - (i % size) + (size - 1 - (i % size))]!
      for (let i = 0; i < length; i++) bytes[to + i] = turned[i]!
      return CONTINUE
    },
  }
}
