/** What a file per capability provides; capabilities.ts has the table. */

export interface CapabilityCodec<T> {
  /** IANA "Capability Codes". */
  readonly code: number
  /** undefined when the data do not fit the definition: such a capability is ignored like an unknown one. */
  decode(data: Uint8Array): T | undefined
  encode(value: T): Uint8Array
  show(value: T): string
}

/** A capability that is there or not, and has no data. */
export function flag(code: number): CapabilityCodec<true> {
  return {
    code,
    decode: (data) => (data.length === 0 ? true : undefined),
    encode: () => new Uint8Array(0),
    show: () => '',
  }
}

/** The entries of a list whose data are a multiple of `size` octets; undefined when they are not, or an entry is. */
export function entries<T>(
  data: Uint8Array,
  size: number,
  decode: (entry: Uint8Array) => T | undefined,
): readonly T[] | undefined {
  if (data.length % size !== 0) return undefined
  const list: T[] = []
  for (let at = 0; at < data.length; at += size) {
    const entry = decode(data.subarray(at, at + size))
    if (entry === undefined) return undefined
    list.push(entry)
  }
  return list
}
