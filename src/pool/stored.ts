/** Values in the store, read with care: others may have written them. */
import type { Entry } from '../store/store.ts'
import { PoolError } from './errors.ts'

export type Fields = Readonly<Record<string, unknown>>

/** PoolError `damaged` when it is no JSON object. */
export function fieldsOf({ key, value }: Entry): Fields {
  try {
    const fields: unknown = JSON.parse(value)
    if (isObject(fields)) return fields
  } catch {} // said below
  throw damaged(key, 'it is no JSON object')
}

export function damaged(key: string, why: string): PoolError {
  return new PoolError('damaged', `Cannot read "${key}" in the store: ${why}`)
}

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

export function isTexts(value: unknown): value is Readonly<Record<string, string>> {
  return isObject(value) && Object.values(value).every((each) => typeof each === 'string')
}
