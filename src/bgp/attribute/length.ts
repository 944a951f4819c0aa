/** Checks of the length of an attribute's value. */
import { UpdateError, updateError } from '../errors.ts'

export function requireLength(name: string, value: Uint8Array, length: number): void {
  if (value.length !== length) {
    throw updateError(UpdateError.attributeLength, `${name} of ${value.length} octets, ${length} wanted`)
  }
}

/** "a nonzero multiple of". */
export function requireMultiple(name: string, value: Uint8Array, unit: number): void {
  if (value.length === 0 || value.length % unit !== 0) {
    throw updateError(UpdateError.attributeLength, `${name} of ${value.length} octets, a multiple of ${unit} wanted`)
  }
}
