/**
 * Options of IPv4 (RFC 791 §3.1) and TCP (RFC 9293 §3.1): a kind, and for all but two of them a length and data.
 *
 * Kind 0 ends the list and what follows it is padding; kind 1 is a single byte that only fills.
 */
import { DecodeError } from './errors.ts'

export const END_OF_OPTIONS = 0
export const NO_OPERATION = 1

export interface Option {
  readonly kind: number
  /** What stands behind kind and length. Empty for NO_OPERATION. */
  readonly data: Uint8Array
}

const EMPTY = new Uint8Array(0)

/** `base` is where `bytes` begins in the header, for errors. */
export function decodeOptions(protocol: string, bytes: Uint8Array, base: number): Option[] {
  const options: Option[] = []
  for (let at = 0; at < bytes.length; ) {
    const kind = bytes[at]!
    if (kind === END_OF_OPTIONS) break
    if (kind === NO_OPERATION) {
      options.push({ kind, data: EMPTY })
      at++
      continue
    }
    const length = bytes[at + 1]
    if (length === undefined || length < 2 || at + length > bytes.length) {
      throw new DecodeError(protocol, base + at, `option ${kind} does not fit in the header`)
    }
    options.push({ kind, data: bytes.subarray(at + 2, at + length) })
    at += length
  }
  return options
}

/** Padded with END_OF_OPTIONS to a multiple of 4 bytes. RangeError when they take more than `most` bytes. */
export function encodeOptions(options: readonly Option[], most: number): Uint8Array {
  const bytes: number[] = []
  for (const { kind, data } of options) {
    bytes.push(kind)
    if (kind !== NO_OPERATION) bytes.push(data.length + 2, ...data)
  }
  while (bytes.length % 4 !== 0) bytes.push(END_OF_OPTIONS)
  if (bytes.length > most) throw new RangeError(`Cannot encode ${bytes.length} bytes of options: at most ${most} fit`)
  return Uint8Array.from(bytes)
}
