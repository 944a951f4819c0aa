/** Text that is no JSON, or says something that cannot be used. */

/**
 * `decoding`: it is not JSON, or a value is of another type than the reader asked for. `value`: the type is right, the value
 * is out of range.
 */
export type JsonErrorKind = 'decoding' | 'value'

export class JsonError extends Error {
  override readonly name = 'JsonError'
  readonly kind: JsonErrorKind

  constructor(kind: JsonErrorKind, message: string) {
    super(message)
    this.kind = kind
  }
}
