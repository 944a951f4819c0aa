/**
 * What a value of a configuration must be, declared once: a shape reads it, puts in what was left out, and is the JSON Schema
 * that editors check files by.
 *
 * `null` is what is left out, in every member that can be: tools write all members, and YAML has null where somebody has made
 * everything below a key a comment.
 */
import { didYouMean, nearest } from '../../json/near.ts'
import { ConfigError, collecting, type Path, type Problem } from './problem.ts'

/** JSON Schema, draft 2020-12. */
export type Schema = Readonly<Record<string, unknown>>

export interface Shape<T> {
  readonly schema: Schema
  /** What it must be, in words: `a number from 1 to 65535`. */
  readonly expected: string
  /** ConfigError when it is not. */
  read(value: unknown, path: Path): T
}

export interface Member<T> {
  readonly schema: Schema
  readonly isRequired: boolean
  read(value: unknown, path: Path): T
}

export type Members = Readonly<Record<string, Member<unknown>>>
export type ValuesOf<M extends Members> = { readonly [K in keyof M]: M[K] extends Member<infer T> ? T : never }
/** What a shape reads. */
export type Of<S> = S extends Shape<infer T> ? T : never

// Members. `description` is for editors, and for docs/bgp.md.

export function required<T>(shape: Shape<T>, description: string): Member<T> {
  const read = (value: unknown, path: Path) => {
    if (isLeftOut(value)) throw refuse(path, `is missing, expected ${shape.expected}`)
    return shape.read(value, path)
  }
  return { schema: { ...shape.schema, description }, isRequired: true, read }
}

export function optional<T>(shape: Shape<T>, description: string): Member<T | undefined> {
  const read = (value: unknown, path: Path) => (isLeftOut(value) ? undefined : shape.read(value, path))
  return { schema: { ...orNull(shape.schema), description }, isRequired: false, read }
}

/** `fallback` as a configuration would say it. */
export function defaulted<T>(shape: Shape<T>, fallback: unknown, description: string): Member<T> {
  const read = (value: unknown, path: Path) => shape.read(isLeftOut(value) ? fallback : value, path)
  return { schema: { ...orNull(shape.schema), default: fallback, description }, isRequired: false, read }
}

function isLeftOut(value: unknown): value is null | undefined {
  return value === undefined || value === null
}

function orNull(schema: Schema): Schema {
  const { type, enum: choices, anyOf, $ref } = schema
  if (Array.isArray(choices)) return { ...schema, enum: [...choices, null] }
  if (Array.isArray(anyOf)) return { ...schema, anyOf: [...anyOf, { type: 'null' }] }
  if ($ref) return { anyOf: [schema, { type: 'null' }] }
  return { ...schema, type: [type, 'null'] }
}

// Shapes

/** The same shape; what it is in the schema stands among its $defs, under this name. */
export function referred<T>(shape: Shape<T>, name: string): Shape<T> {
  return { ...shape, schema: { $ref: `#/$defs/${name}` } }
}

export function object<M extends Members>(expected: string, members: M): Shape<ValuesOf<M>> {
  const entries = Object.entries(members)
  const names = Object.keys(members)
  return {
    expected,
    schema: {
      type: 'object',
      additionalProperties: false,
      required: names.filter((name) => members[name]!.isRequired),
      properties: Object.fromEntries(entries.map(([name, { schema }]) => [name, schema])),
    },
    read(value, path) {
      const given = requireMap(value, path, expected)
      const problems: Problem[] = Object.keys(given)
        .filter((name) => !names.includes(name))
        .map((name) => ({ path: [...path, name], what: `is not known${suggestion(name, names)}` }))
      const values: Record<string, unknown> = {}
      for (const [name, member] of entries) {
        const own = Object.hasOwn(given, name) ? given[name] : undefined
        const read = collecting(problems, () => member.read(own, [...path, name]))
        if (read !== undefined) values[name] = read
      }
      if (problems.length > 0) throw new ConfigError(problems)
      return values as ValuesOf<M>
    },
  }
}

/** One member, whichever. */
export function oneOf<S extends Readonly<Record<string, Shape<unknown>>>>(
  expected: string,
  shapes: S,
): Shape<{ [K in keyof S]: { readonly [P in K]: Of<S[K]> } }[keyof S]> {
  const names = Object.keys(shapes)
  const properties = Object.fromEntries(Object.entries(shapes).map(([name, { schema }]) => [name, schema]))
  return {
    expected,
    schema: { type: 'object', additionalProperties: false, minProperties: 1, maxProperties: 1, properties },
    read(value, path) {
      const [name, ...more] = Object.keys(requireMap(value, path, expected))
      if (name === undefined || more.length > 0) throw refuse(path, `is not one thing, expected ${expected}`)
      if (!names.includes(name)) throw refuse([...path, name], `is not known${didYouMean(name, names)}`)
      const own = (value as Readonly<Record<string, unknown>>)[name]
      return { [name]: shapes[name]!.read(own, [...path, name]) } as {
        [K in keyof S]: { readonly [P in K]: Of<S[K]> }
      }[keyof S]
    },
  }
}

/** Names that the user gives. */
export function mapOf<T>(shape: Shape<T>, expected: string): Shape<ReadonlyMap<string, T>> {
  return {
    expected,
    schema: { type: 'object', additionalProperties: shape.schema },
    read(value, path) {
      const given = Object.entries(requireMap(value, path, expected))
      return new Map(readAll(given, (own, name) => [name, shape.read(own, [...path, name])] as const))
    },
  }
}

export function listOf<T>(shape: Shape<T>, expected: string, { min = 0, max = Infinity } = {}): Shape<readonly T[]> {
  const bounds = { ...(min > 0 && { minItems: min }), ...(max < Infinity && { maxItems: max }) }
  return {
    expected,
    schema: { type: 'array', items: shape.schema, ...bounds },
    read(value, path) {
      if (!Array.isArray(value) || value.length < min || value.length > max) throw wrong(path, value, expected)
      return readAll([...value.entries()], (own, i) => shape.read(own, [...path, i]))
    },
  }
}

/** All of them, or all their problems. */
function readAll<K extends string | number, T>(
  given: readonly (readonly [K, unknown])[],
  read: (value: unknown, key: K) => T,
): T[] {
  const problems: Problem[] = []
  const values = given.map(([key, value]) => collecting(problems, () => read(value, key)))
  if (problems.length > 0) throw new ConfigError(problems)
  return values as T[]
}

/** Two forms of one thing, told apart by what JSON has them as. */
export function either<A, B>(isFirst: 'text' | 'boolean', first: Shape<A>, second: Shape<B>): Shape<A | B> {
  const fits = (value: unknown) => (isFirst === 'text' ? typeof value === 'string' : typeof value === 'boolean')
  return {
    expected: `${first.expected}, or ${second.expected}`,
    schema: { anyOf: [first.schema, second.schema] },
    read(value, path) {
      if (fits(value)) return first.read(value, path)
      if (typeof value !== 'object') throw wrong(path, value, `${first.expected}, or ${second.expected}`)
      return second.read(value, path)
    },
  }
}

export const boolean: Shape<boolean> = {
  expected: 'true or false',
  schema: { type: 'boolean' },
  read(value, path) {
    if (typeof value !== 'boolean') throw wrong(path, value, 'true or false')
    return value
  },
}

/** A whole number. `or`: one below the range that is allowed besides. */
export function number(min: number, max: number, { or }: { readonly or?: number } = {}): Shape<number> {
  const expected = or === undefined ? `a number from ${min} to ${max}` : `${or}, or a number from ${min} to ${max}`
  const range = { type: 'integer', minimum: min, maximum: max }
  return {
    expected,
    schema: or === undefined ? range : { anyOf: [{ const: or }, range] },
    read(value, path) {
      if (typeof value !== 'number' || !Number.isInteger(value)) throw wrong(path, value, expected)
      if (value !== or && (value < min || value > max)) throw wrong(path, value, expected)
      return value
    },
  }
}

/** `secret`: what was given is not repeated. Bounds in octets of UTF-8; the schema counts characters. */
export function text({
  max,
  secret = false,
}: {
  readonly max?: number
  readonly secret?: boolean
} = {}): Shape<string> {
  const expected = max === undefined ? 'text that is not empty' : `text of 1 to ${max} octets`
  return {
    expected,
    schema: { type: 'string', minLength: 1, ...(max !== undefined && { maxLength: max }) },
    read(value, path) {
      if (typeof value === 'string' && value !== '' && octetsOf(value) <= (max ?? Infinity)) return value
      throw secret ? refuse(path, `cannot be used, expected ${expected}`) : wrong(path, value, expected)
    },
  }
}

/** RFC 3629 §3. */
function octetsOf(value: string): number {
  let octets = 0
  for (const character of value) {
    const code = character.codePointAt(0)!
    octets += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x1_0000 ? 3 : 4
  }
  return octets
}

export function choice<const T extends string>(...choices: readonly T[]): Shape<T> {
  const expected = choices.map((each) => `"${each}"`).join(' or ')
  return {
    expected,
    schema: { enum: choices },
    read(value, path) {
      const chosen = choices.find((each) => each === value)
      if (chosen !== undefined) return chosen
      const near = typeof value === 'string' ? didYouMean(value, choices) : ''
      throw near === '' ? wrong(path, value, expected) : refuse(path, `is ${JSON.stringify(value)}${near}`)
    },
  }
}

/** Text of a form that the schema names. `parse` throws RangeError, or answers a sentence's end in a ConfigError. */
export function formatted<T>(format: string, expected: string, parse: (text: string) => T | undefined): Shape<T> {
  return {
    expected,
    schema: { type: 'string', format },
    read(value, path) {
      const parsed = typeof value === 'string' ? parse(value) : undefined
      if (parsed === undefined) throw wrong(path, value, expected)
      return parsed
    },
  }
}

// Refusals

/** Names that are all told; of more only the one that may have been meant. */
const FEW = 12

function suggestion(wrong: string, names: readonly string[]): string {
  if (names.length <= FEW) return didYouMean(wrong, names)
  const near = nearest(wrong, names)
  return near === undefined ? '' : `; did you mean "${near}"?`
}

export function refuse(path: Path, what: string): ConfigError {
  return new ConfigError([{ path, what }])
}

export function wrong(path: Path, value: unknown, expected: string): ConfigError {
  return refuse(path, `is ${show(value)}, expected ${expected}`)
}

function requireMap(value: unknown, path: Path, expected: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(path, value, expected)
  return value as Readonly<Record<string, unknown>>
}

/** Characters of a value that are repeated. */
const SHOWN = 60

function show(value: unknown): string {
  if (typeof value === 'number' || value === undefined) return String(value)
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  const json = JSON.stringify(value) ?? String(value)
  return json.length > SHOWN ? `${json.slice(0, SHOWN)}…` : json
}
