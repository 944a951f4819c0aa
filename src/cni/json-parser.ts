/**
 * Reads JSON text, RFC 8259, with the bounds that Go's encoding/json sets: lone surrogates become U+FFFD, nothing but
 * white space may stand around the value (no byte order mark either), and 10,000 levels of nesting are the most. For that
 * depth the parser keeps a stack of its own instead of calling itself.
 */
import { CniCode, CniError } from './errors.ts'
import { JsonNumber, JsonObject, type JsonValue } from './json.ts'

/** encoding/json/scanner.go, maxNestingDepth. */
const MAX_DEPTH = 10_000

/** Longest piece of the text that a message quotes. */
const MAX_QUOTE = 20

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const WORD = /[a-z]+/y
const WORDS: Readonly<Record<string, true | false | null>> = { true: true, false: false, null: null }

/** An array or object whose end has not come yet. */
type Open =
  | { readonly end: ']'; readonly items: JsonValue[] }
  | { readonly end: '}'; readonly items: [string, JsonValue][]; key: string }

/** `what` completes "Cannot decode …". CniError (decoding failure) when the text is not one JSON value. */
export function parseJson(text: string, what = 'JSON'): JsonValue {
  const reader = new Reader(text, what)
  const outer: Open[] = []
  let inner: Open | undefined

  for (;;) {
    const opened = open(reader)
    if (opened && inner && outer.length + 1 === MAX_DEPTH) reader.fail(`there are more than ${MAX_DEPTH} levels`)
    if (opened && !reader.accept(opened.end)) {
      if (inner) outer.push(inner)
      inner = opened
      if (inner.end === '}') inner.key = reader.key()
      continue
    }
    let value: JsonValue = opened ? close(opened) : reader.scalar()

    // A value is complete: what holds it takes it, and may be complete thereby.
    for (;;) {
      if (!inner) {
        reader.expectEnd()
        return value
      }
      if (inner.end === '}') inner.items.push([inner.key, value])
      else inner.items.push(value)
      if (reader.accept(',')) {
        if (inner.end === '}') inner.key = reader.key()
        break
      }
      reader.expect(inner.end, `"," or "${inner.end}"`)
      value = close(inner)
      inner = outer.pop()
    }
  }
}

function open(reader: Reader): Open | undefined {
  if (reader.accept('{')) return { end: '}', items: [], key: '' }
  if (reader.accept('[')) return { end: ']', items: [] }
  return undefined
}

function close(container: Open): JsonValue {
  return container.end === '}' ? new JsonObject(container.items) : container.items
}

class Reader {
  readonly #text: string
  readonly #what: string
  #at = 0

  constructor(text: string, what: string) {
    this.#text = text
    this.#what = what
  }

  /** Passes over white space, and over the character when it is the next one. */
  accept(character: string): boolean {
    this.#skipSpace()
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  expect(character: string, wanted = `"${character}"`): void {
    if (!this.accept(character)) this.#unexpected(wanted)
  }

  expectEnd(): void {
    this.#skipSpace()
    if (this.#at < this.#text.length) this.#unexpected('the end')
  }

  /** An entry's key and the colon behind it. */
  key(): string {
    this.#skipSpace()
    if (this.#text[this.#at] !== '"') this.#unexpected('a key in double quotes')
    const key = this.#string()
    this.expect(':')
    return key
  }

  scalar(): JsonNumber | string | boolean | null {
    this.#skipSpace()
    if (this.#text[this.#at] === '"') return this.#string()
    const literal = this.#match(NUMBER)
    if (literal !== undefined) {
      this.#at += literal.length
      return new JsonNumber(literal)
    }
    const word = this.#match(WORD)
    const value = word === undefined ? undefined : Object.hasOwn(WORDS, word) ? WORDS[word] : undefined
    if (word === undefined || value === undefined) return this.#unexpected('a value')
    this.#at += word.length
    return value
  }

  fail(reason: string): never {
    throw new CniError(CniCode.decodingFailure, `Cannot decode ${this.#what} at character ${this.#at}: ${reason}`)
  }

  #unexpected(wanted: string): never {
    const rest = this.#text.slice(this.#at, this.#at + MAX_QUOTE)
    return this.fail(`${wanted} is expected, found ${rest === '' ? 'the end' : JSON.stringify(rest)}`)
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    return pattern.exec(this.#text)?.[0]
  }

  #skipSpace(): void {
    for (; this.#at < this.#text.length; this.#at++) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== SPACE && code !== NEWLINE && code !== RETURN && code !== TAB) return
    }
  }

  #string(): string {
    const start = this.#at++
    let plain = true
    for (; ; this.#at++) {
      const code = this.#text.charCodeAt(this.#at)
      if (code === QUOTE) break
      if (code === BACKSLASH) {
        plain = false
        this.#at++ // what is escaped may be a quote
      } else if (!(code >= SPACE)) {
        this.#unexpected('a string that ends in a double quote and has no control characters')
      }
    }
    const end = this.#at++
    if (plain) return this.#text.slice(start + 1, end)
    try {
      return (JSON.parse(this.#text.slice(start, end + 1)) as string).toWellFormed()
    } catch {
      this.#at = start
      return this.#unexpected('a string whose escapes are those of JSON')
    }
  }
}

const TAB = 9
const NEWLINE = 10
const RETURN = 13
const SPACE = 32
const QUOTE = 34
const BACKSLASH = 92
