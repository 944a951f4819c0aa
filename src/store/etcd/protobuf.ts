/**
 * Protocol Buffers, version 3, as far as etcd's messages need them. A message is a table of its fields; the table encodes,
 * decodes, and gives the type.
 *
 *   const LeaseGrantRequest = message({ ttl: [1, int64], id: [2, int64] })
 *
 * As in proto3, a field that was not sent has its type's zero, and fields that are not in the table are passed over. An
 * encoder writes what it is given, zeros too: in a `oneof` they say which one it is.
 *
 * https://protobuf.dev/programming-guides/encoding/
 */

/** Wire types. */
const VARINT = 0
const I64 = 1
const LEN = 2
const I32 = 5

export interface Type<T> {
  readonly wireType: typeof VARINT | typeof LEN
  /** What it has when it was not sent. */
  zero(): T
  /** Reads one occurrence; `earlier` is what there was before it. */
  read(reader: Reader, earlier: T): T
  write(tag: bigint, value: T, into: Uint8Array[]): void
}

type Fields = Readonly<Record<string, readonly [number: number, type: Type<unknown>]>>
type ValueOf<F> = F extends readonly [number, Type<infer T>] ? T : never

export interface Message<Q extends object> extends Type<Q> {
  encode(values: Partial<Q>): Buffer
  decode(bytes: Uint8Array): Q
}

export type Decoded<M> = M extends Message<infer Q> ? Q : never

export function message<const F extends Fields>(fields: F): Message<{ readonly [K in keyof F]: ValueOf<F[K]> }> {
  type Q = { readonly [K in keyof F]: ValueOf<F[K]> }
  const columns = Object.entries(fields) as unknown as [keyof F & string, [number, Type<unknown>]][]
  const byNumber = new Map(columns.map(([name, [number, type]]) => [number, { name, type }]))

  const encode = (values: Partial<Q>) => {
    const parts: Uint8Array[] = []
    for (const [name, [number, type]] of columns) {
      const value: unknown = values[name]
      if (value !== undefined) type.write(BigInt((number << 3) | type.wireType), value, parts)
    }
    return Buffer.concat(parts)
  }

  const decode = (bytes: Uint8Array) => {
    const values: Record<string, unknown> = {}
    for (const [name, [, type]] of columns) values[name] = type.zero()
    const reader = new Reader(bytes)
    while (!reader.isAtEnd) {
      const tag = Number(reader.varint())
      const field = byNumber.get(tag >>> 3)
      if (field?.type.wireType === (tag & 7)) values[field.name] = field.type.read(reader, values[field.name])
      else reader.skip(tag & 7)
    }
    return values as Q
  }

  return {
    wireType: LEN,
    zero: () => decode(new Uint8Array()),
    read: (reader) => decode(reader.bytes()),
    write: (tag, value, into) => into.push(...delimited(tag, encode(value))),
    encode,
    decode,
  }
}

/** A field of a message's type that may be absent. */
export function optional<Q extends object>(type: Message<Q>): Type<Q | undefined> {
  return {
    wireType: LEN,
    zero: () => undefined,
    read: (reader) => type.decode(reader.bytes()),
    write: (tag, value, into) => value && type.write(tag, value, into),
  }
}

export function repeated<T>(type: Type<T>): Type<readonly T[]> {
  return {
    wireType: type.wireType,
    zero: () => [],
    read(reader, earlier) {
      const value = type.read(reader, type.zero())
      if (earlier.length === 0)
        return [value]
        // The array is this decoder's own until the message is complete.
      ;(earlier as T[]).push(value)
      return earlier
    },
    write(tag, values, into) {
      for (const value of values) type.write(tag, value, into)
    },
  }
}

export const int64: Type<bigint> = {
  wireType: VARINT,
  zero: () => 0n,
  read: (reader) => BigInt.asIntN(64, reader.varint()),
  write: (tag, value, into) => into.push(varint(tag), varint(BigInt.asUintN(64, value))),
}

export const uint64: Type<bigint> = {
  ...int64,
  read: (reader) => BigInt.asUintN(64, reader.varint()),
}

/** Also for enums. */
export const int32: Type<number> = {
  wireType: VARINT,
  zero: () => 0,
  read: (reader) => Number(BigInt.asIntN(32, reader.varint())),
  write: (tag, value, into) => int64.write(tag, BigInt(value), into),
}

export const bool: Type<boolean> = {
  wireType: VARINT,
  zero: () => false,
  read: (reader) => reader.varint() !== 0n,
  write: (tag, value, into) => int64.write(tag, value ? 1n : 0n, into),
}

export const bytes: Type<Uint8Array> = {
  wireType: LEN,
  zero: () => new Uint8Array(),
  read: (reader) => reader.bytes(),
  write: (tag, value, into) => into.push(...delimited(tag, value)),
}

/** UTF-8: of a `string`, or of `bytes` that are text. */
export const text: Type<string> = {
  wireType: LEN,
  zero: () => '',
  read: (reader) => reader.text(),
  write: (tag, value, into) => into.push(...delimited(tag, Buffer.from(value, 'utf8'))),
}

function delimited(tag: bigint, value: Uint8Array): Uint8Array[] {
  return [varint(tag), varint(BigInt(value.length)), value]
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  bytes.push(Number(rest))
  return Uint8Array.from(bytes)
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  varint(): bigint {
    let small = 0
    // What fits into 28 bits needs no bigint on the way.
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte()
      small |= (byte & 0x7f) << shift
      if (byte < 0x80) return BigInt(small)
    }
    let value = BigInt(small)
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#byte()
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw new RangeError('Cannot decode a Protocol Buffers message: a number is longer than 10 bytes')
  }

  bytes(): Uint8Array {
    const start = this.#pass(Number(this.varint()))
    return this.#bytes.subarray(start, this.#at)
  }

  text(): string {
    const start = this.#pass(Number(this.varint()))
    return this.#bytes.toString('utf8', start, this.#at)
  }

  skip(wireType: number): void {
    if (wireType === VARINT) this.varint()
    else if (wireType === I64) this.#pass(8)
    else if (wireType === LEN) this.bytes()
    else if (wireType === I32) this.#pass(4)
    else throw new RangeError(`Cannot decode a Protocol Buffers message: there is no wire type ${wireType}`)
  }

  #byte(): number {
    return this.#bytes[this.#pass(1)]!
  }

  /** Where the next so many bytes begin. */
  #pass(length: number): number {
    const start = this.#at
    if (start + length > this.#bytes.length)
      throw new RangeError('Cannot decode a Protocol Buffers message: it is cut short')
    this.#at = start + length
    return start
  }
}
