/**
 * JSON as Go's encoding/json understands it, since configurations in the wild rely on its habits:
 *
 * - keys match in any case (`isgateway`, `IPAM`), also by U+017F for s and by U+212A for k, as Go folds them;
 * - of several entries for one key the last counts, objects are laid over one another, and `null` says nothing;
 *   an entry of the wrong type is an error even where a later one would count;
 * - a number is an integer only when it is written as one: neither `1500.0` nor `1.5e3` is.
 *
 * JSON.parse has lost all that by the time it answers; parser.ts has not.
 */
import { JsonError } from './errors.ts'

/** The digits of the largest 64-bit integer and of the smallest. */
const MAX_INT64 = '9223372036854775807'
const MIN_INT64 = '9223372036854775808'

export type JsonValue = null | boolean | string | JsonNumber | JsonObject | readonly JsonValue[]

/** A number as it was written. */
export class JsonNumber {
  readonly literal: string

  constructor(literal: string) {
    this.literal = literal
  }
}

export interface IntegerRange {
  readonly min: number
  readonly max?: number
}

/**
 * An object with its entries as they came. Getters answer undefined for what is absent or null, and throw JsonError for
 * another type (`decoding`) or a value out of range (`value`).
 */
export class JsonObject {
  readonly entries: readonly (readonly [string, JsonValue])[]
  /** Where in the document a getter found it, `ipam.ranges[0]`; empty for the outermost. */
  readonly path: string

  constructor(entries: readonly (readonly [string, JsonValue])[] = [], path = '') {
    this.entries = entries
    this.path = path
  }

  has(key: string): boolean {
    return this.value(key) !== undefined
  }

  value(key: string): JsonValue | undefined {
    return this.#last(key, (value) => value)
  }

  string(key: string): string | undefined {
    return this.#last(key, asString)
  }

  boolean(key: string): boolean | undefined {
    return this.#last(key, asBoolean)
  }

  /** A signed 64-bit integer unless narrowed; beyond 2^53 the nearest that a number can hold. */
  integer(key: string, range?: IntegerRange): number | undefined {
    return this.#last(key, (value, path) => asInteger(value, path, range))
  }

  object(key: string): JsonObject | undefined {
    let merged: JsonObject | undefined
    this.#last(key, (value, path) => {
      const object = asObject(value, path)
      merged = merged ? new JsonObject([...merged.entries, ...object.entries], path) : object
    })
    return merged
  }

  array(key: string): readonly JsonValue[] | undefined {
    return this.#last(key, asArray)
  }

  strings(key: string): readonly string[] | undefined {
    return this.#last(key, (value, path) => asArray(value, path).map((item, i) => asString(item, `${path}[${i}]`)))
  }

  objects(key: string): readonly JsonObject[] | undefined {
    return this.#last(key, (value, path) => asArray(value, path).map((item, i) => asObject(item, `${path}[${i}]`)))
  }

  /** Where the key's value stands in the document: `ipam.subnet`. */
  pathOf(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`
  }

  /** Reads every entry for the key, nulls left out; answers what the last one said. */
  #last<T>(key: string, read: (value: JsonValue, path: string) => T): T | undefined {
    let last: T | undefined
    for (let i = 0; i < this.entries.length; i++) {
      const entry = this.entries[i]!
      if (entry[1] !== null && sameKey(entry[0], key)) last = read(entry[1], this.pathOf(key))
    }
    return last
  }
}

/** `path` is where the value stands, for the message. A null in a list of strings is an empty one, as in Go. */
export function asString(value: JsonValue, path: string): string {
  if (value === null) return ''
  return typeof value === 'string' ? value : wrongType(value, path, 'a string')
}

export function asBoolean(value: JsonValue, path: string): boolean {
  return typeof value === 'boolean' ? value : wrongType(value, path, 'true or false')
}

export function asInteger(value: JsonValue, path: string, range?: IntegerRange): number {
  if (!(value instanceof JsonNumber) || !/^-?[0-9]+$/.test(value.literal)) return wrongType(value, path, 'an integer')
  if (!fitsInt64(value.literal)) return wrongType(value, path, 'an integer of 64 bits')
  const integer = Number(value.literal)
  if (!range) return integer
  const { min, max = Infinity } = range
  if (integer >= min && integer <= max) return integer
  const wanted = max === Infinity ? `of at least ${min}` : `from ${min} to ${max}`
  throw new JsonError('value', `Cannot use "${path}": it is ${value.literal}, give an integer ${wanted}`)
}

/** A null in a list of objects is an empty one, as in Go. */
export function asObject(value: JsonValue, path: string): JsonObject {
  if (value === null) return new JsonObject([], path)
  if (!(value instanceof JsonObject)) return wrongType(value, path, 'an object')
  return new JsonObject(value.entries, path)
}

export function asArray(value: JsonValue, path: string): readonly JsonValue[] {
  return Array.isArray(value) ? value : wrongType(value, path, 'an array')
}

function fitsInt64(literal: string): boolean {
  const [digits, most] = literal.startsWith('-') ? [literal.slice(1), MIN_INT64] : [literal, MAX_INT64]
  return digits.length < most.length || (digits.length === most.length && digits <= most)
}

function wrongType(value: JsonValue, path: string, wanted: string): never {
  throw new JsonError(
    'decoding',
    `Cannot use ${path ? `"${path}"` : 'the document'}: it is ${describe(value)}, give ${wanted}`,
  )
}

function describe(value: JsonValue): string {
  if (typeof value === 'string') return `the string ${JSON.stringify(value)}`
  if (value === null || typeof value === 'boolean') return `${value}`
  if (value instanceof JsonNumber) return `the number ${value.literal}`
  return Array.isArray(value) ? 'an array' : 'an object'
}

/** encoding/json/fold.go: of the letters outside ASCII only U+017F and U+212A fold to one inside. */
function sameKey(a: string, b: string): boolean {
  return a === b || (a.length === b.length && fold(a) === fold(b))
}

function fold(key: string): string {
  return key.toLowerCase().replaceAll('\u017f', 's')
}
