/**
 * Reads JSON text, RFC 8259, with the bounds that Go's encoding/json sets: lone surrogates become U+FFFD, nothing but
 * white space may stand around the value (no byte order mark either), and 10,000 levels of nesting are the most. For that
 * depth the parser keeps a stack of its own instead of calling itself.
 *
 * It runs in every plugin and QuickJS looks up every property of an object anew, so that the position is a variable of one
 * function: twice as fast as a class.
 */
import { JsonError } from './errors.ts'
import { JsonNumber, JsonObject, type JsonValue } from './json.ts'

/** encoding/json/scanner.go, maxNestingDepth. */
const MAX_DEPTH = 10_000

/** Longest piece of the text that a message quotes. */
const MAX_QUOTE = 20

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const WORD = /[a-z]+/y
const WORDS: ReadonlyMap<string, true | false | null> = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
])

/** What a string cannot hold as it is, RFC 8259 §7. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NOT_PLAIN = /[\\\u0000-\u001f]/

/** An array or object whose end has not come yet. */
type Open =
  | { readonly end: typeof CLOSE_BRACKET; readonly items: JsonValue[] }
  | { readonly end: typeof CLOSE_BRACE; readonly items: [string, JsonValue][]; key: string }

/** `what` completes "Cannot decode …". JsonError when the text is not one JSON value. */
export function parseJson(text: string, what = 'JSON'): JsonValue {
  const outer: Open[] = []
  let inner: Open | undefined
  let at = 0

  for (;;) {
    const code = peek()
    let value: JsonValue
    if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      if (inner && outer.length + 1 === MAX_DEPTH) fail(`there are more than ${MAX_DEPTH} levels`)
      at++
      const opened: Open =
        code === OPEN_BRACE ? { end: CLOSE_BRACE, items: [], key: '' } : { end: CLOSE_BRACKET, items: [] }
      if (peek() !== opened.end) {
        if (inner) outer.push(inner)
        inner = opened
        if (inner.end === CLOSE_BRACE) inner.key = key()
        continue
      }
      at++
      value = close(opened)
    } else {
      value = scalar(code)
    }

    // A value is complete: what holds it takes it, and may be complete thereby.
    for (;;) {
      const next = peek()
      if (!inner) {
        if (at < text.length) unexpected('the end')
        return value
      }
      if (inner.end === CLOSE_BRACE) inner.items.push([inner.key, value])
      else inner.items.push(value)
      if (next !== COMMA && next !== inner.end) unexpected(`"," or "${String.fromCharCode(inner.end)}"`)
      at++
      if (next === COMMA) {
        if (inner.end === CLOSE_BRACE) inner.key = key()
        break
      }
      value = close(inner)
      inner = outer.pop()
    }
  }

  /** The next character that is no white space; NaN at the end. */
  function peek(): number {
    for (; ; at++) {
      const code = text.charCodeAt(at)
      if (code !== SPACE && code !== NEWLINE && code !== RETURN && code !== TAB) return code
    }
  }

  /** An entry's key and the colon behind it. */
  function key(): string {
    if (peek() !== QUOTE) unexpected('a key in double quotes')
    const name = string()
    if (peek() !== COLON) unexpected('":"')
    at++
    return name
  }

  function scalar(code: number): JsonNumber | string | boolean | null {
    if (code === QUOTE) return string()
    const literal = match(NUMBER)
    if (literal !== undefined) {
      at += literal.length
      return new JsonNumber(literal)
    }
    const word = match(WORD) ?? ''
    const value = WORDS.get(word)
    if (value === undefined) return unexpected('a value')
    at += word.length
    return value
  }

  function string(): string {
    const end = text.indexOf('"', at + 1)
    const plain = text.slice(at + 1, end)
    if (end < 0 || NOT_PLAIN.test(plain)) return escapedString()
    at = end + 1
    return plain
  }

  function escapedString(): string {
    const start = at++
    for (; ; at++) {
      const code = text.charCodeAt(at)
      if (code === QUOTE) break
      if (code === BACKSLASH)
        at++ // what is escaped may be a quote
      else if (!(code >= SPACE)) unexpected('a string that ends in a double quote and has no control characters')
    }
    at++
    try {
      return (JSON.parse(text.slice(start, at)) as string).toWellFormed()
    } catch {
      at = start
      return unexpected('a string whose escapes are those of JSON')
    }
  }

  function match(pattern: RegExp): string | undefined {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0]
  }

  function unexpected(wanted: string): never {
    const rest = text.slice(at, at + MAX_QUOTE)
    return fail(`${wanted} is expected, found ${rest === '' ? 'the end' : JSON.stringify(rest)}`)
  }

  function fail(reason: string): never {
    throw new JsonError('decoding', `Cannot decode ${what} at character ${at}: ${reason}`)
  }
}

function close(container: Open): JsonValue {
  return container.end === CLOSE_BRACE ? new JsonObject(container.items) : container.items
}

const TAB = 9
const NEWLINE = 10
const RETURN = 13
const SPACE = 32
const QUOTE = 34
const COMMA = 44
const COLON = 58
const OPEN_BRACKET = 91
const BACKSLASH = 92
const CLOSE_BRACKET = 93
const OPEN_BRACE = 123
const CLOSE_BRACE = 125
