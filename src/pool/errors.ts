/**
 * Why an address cannot be had, or a pool not be changed. `exhausted`: releasing some, or another pool, helps. `conflict`:
 * somebody else has what was asked for. `invalid`: what was asked for makes no sense. `damaged`: the store holds what is not ours.
 */
export type PoolErrorKind = 'exhausted' | 'conflict' | 'invalid' | 'damaged'

export class PoolError extends Error {
  override readonly name = 'PoolError'
  readonly kind: PoolErrorKind

  constructor(kind: PoolErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}
