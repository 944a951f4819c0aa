/**
 * The registers that a rule uses, followed while it is compiled: which bytes, whether something was put there before, and
 * who reads them later. Source: nft_parse_register_load, nft_parse_register_store.
 */
import type { NftRegister } from '../../../kernel/nftables.ts'
import { refusal } from './refusal.ts'

const SIZE = 64
/** NFT_REG_1 … NFT_REG_4. */
const LONG_REGISTERS = 4
/** NFT_REG32_00, NFT_REG32_15. */
const FIRST_WORD = 8
const LAST_WORD = 23

export class Registers {
  /** A bit for each of the 16 words that hold something. */
  #written = 0
  /** Of the expression that is being compiled. */
  #reads = 0
  #writes = 0

  /** The place of `length` bytes that are read. */
  load(register: NftRegister, length: number): number {
    const at = placeOf(register, length)
    const words = wordsOf(at, length)
    if ((this.#written & words) !== words) throw refusal('ENODATA')
    this.#reads |= words
    return at
  }

  /** The place of `length` bytes that are written; the rest of the last word becomes zero. */
  store(register: NftRegister, length: number): number {
    const at = placeOf(register, length)
    const words = wordsOf(at, length)
    this.#written |= words
    this.#writes |= words
    return at
  }

  /** Words read and written since the last call. */
  take(): { readonly reads: number; readonly writes: number } {
    const use = { reads: this.#reads, writes: this.#writes }
    this.#reads = 0
    this.#writes = 0
    return use
  }
}

function placeOf(register: NftRegister, length: number): number {
  const isLong = register >= 1 && register <= LONG_REGISTERS
  if (!isLong && !(register >= FIRST_WORD && register <= LAST_WORD)) throw refusal(register === 0 ? 'EINVAL' : 'ERANGE')
  const at = isLong ? (register - 1) * 16 : (register - FIRST_WORD) * 4
  if (length === 0) throw refusal('EINVAL')
  if (at + length > SIZE) throw refusal('ERANGE')
  return at
}

function wordsOf(at: number, length: number): number {
  const first = at >> 2
  const behind = (at + length + 3) >> 2
  return ((1 << behind) - 1) & ~((1 << first) - 1)
}
