/** Reads a record's body from its beginning to its end. What is asked for beyond that is a DecodeError. */
import { formatIp } from '../../address/ip.ts'
import { DecodeError } from '../../wire/errors.ts'
import type { Family } from '../family.ts'
import { u16, u32 } from '../octets.ts'

export class Cursor {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  u8(): number {
    return this.take(1)[0]!
  }

  u16(): number {
    return u16(this.take(2), 0)
  }

  u32(): number {
    return u32(this.take(4), 0)
  }

  address(family: Family): string {
    return formatIp(this.take(family === 'ipv4' ? 4 : 16))
  }

  /** The next octet, which stays where it is. */
  peek(): number {
    return this.#need(1)[0]!
  }

  take(length: number): Uint8Array {
    const bytes = this.#need(length)
    this.#at += length
    return bytes
  }

  rest(): Uint8Array {
    return this.take(this.#bytes.length - this.#at)
  }

  fail(reason: string): never {
    throw new DecodeError('MRT', this.#at, reason)
  }

  #need(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length) this.fail(`${length} octets are wanted, and the record is at its end`)
    return this.#bytes.subarray(this.#at, this.#at + length)
  }
}
