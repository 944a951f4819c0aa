/**
 * Writes JSON as Go's encoding/json does, indented or in one line, but for one habit: `<`, `>` and `&` stay as they are. Go
 * escapes them for the sake of HTML pages; the value is the same to every reader, and people read our messages on a terminal.
 */
import { JsonNumber, JsonObject, type JsonValue } from './json.ts'
import { parseJson } from './json-parser.ts'

/** encoding/json.MarshalIndent, as the CNI library calls it. */
const INDENT = '    '

/** What can be written. Members that are undefined are left out. */
export type Plain = JsonValue | number | undefined | readonly Plain[] | PlainObject

export interface PlainObject {
  readonly [key: string]: Plain
}

/** Indented by four spaces, without a newline at the end. */
export function formatJson(value: Plain): string {
  return write(value, '\n')
}

/** In one line, without spaces. */
export function formatCompactJson(value: Plain): string {
  return write(value, '')
}

/** The value as if it had been read. */
export function jsonObject(members: object): JsonObject {
  return parseJson(formatCompactJson(members as PlainObject)) as JsonObject
}

/** `newline` is what ends a line and indents the next; empty for all in one line. */
function write(value: Plain, newline: string): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  if (value instanceof JsonNumber) return value.literal
  const inner = newline && newline + INDENT
  if (Array.isArray(value)) {
    const items = value.map((item: Plain) => inner + write(item, inner))
    return items.length > 0 ? `[${items}${newline}]` : '[]'
  }
  const entries: readonly (readonly [string, Plain])[] =
    value instanceof JsonObject ? value.entries : Object.entries(value)
  const members = entries
    .filter(([, member]) => member !== undefined)
    .map(([key, member]) => `${inner}${JSON.stringify(key)}:${newline && ' '}${write(member, inner)}`)
  return members.length > 0 ? `{${members}${newline}}` : '{}'
}
