/** Messages octet by octet, also wrong ones: nothing here knows the codec. */

export const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
export const hexOf = (octets: Uint8Array) => Buffer.from(octets).toString('hex')

const length16 = (length: number) => length.toString(16).padStart(4, '0')
export const octets = (value: string) => value.replaceAll(' ', '').length / 2

export interface Lengths {
  readonly withdrawn?: number
  readonly attributes?: number
}

/** Any message of this type, in hexadecimal. */
export function messageHex(type: number, body: string): string {
  return `${'ff'.repeat(16)}${length16(19 + octets(body))}${type.toString(16).padStart(2, '0')}${body.replaceAll(' ', '')}`
}

/** An UPDATE; `lengths` says what its two lengths claim, where that is not true. */
export function update(attributes: readonly string[], nlri = '', withdrawn = '', lengths: Lengths = {}): Uint8Array {
  const block = attributes.join('')
  const body = [
    length16(lengths.withdrawn ?? octets(withdrawn)),
    withdrawn,
    length16(lengths.attributes ?? octets(block)),
    block,
    nlri,
  ].join('')
  return bytes(messageHex(2, body))
}

/** An attribute with a length of one octet. */
export function attribute(flags: string, code: number, value: string): string {
  return `${flags}${code.toString(16).padStart(2, '0')}${octets(value).toString(16).padStart(2, '0')}${value}`
}
