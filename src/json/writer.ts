/**
 * Writes JSON as Go's encoding/json does, but for one habit: `<`, `>` and `&` stay as they are. Go escapes them for the sake
 * of HTML pages; the value is the same to every reader, and people read our messages on a terminal.
 */

import { JsonNumber, JsonObject, type JsonValue } from './json.ts'

/** As encoding/json.MarshalIndent is called by the CNI library. */
const SPACES_PER_LEVEL = 4

/** What can be written. Members that are undefined are left out. */
export type Plain = string | number | boolean | undefined | readonly Plain[] | PlainObject

export interface PlainObject {
  readonly [key: string]: Plain
}

/** Without a newline at the end. */
export function formatJson(value: PlainObject): string {
  return JSON.stringify(value, undefined, SPACES_PER_LEVEL)
}

/** In one line, without spaces. */
export function formatCompactJson(value: PlainObject): string {
  return JSON.stringify(value)
}

/** Text to be written as it is. */
class Verbatim {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/**
 * What parser.ts has read, in one line, as Go writes a map: keys in order, of several entries for one key the last, numbers
 * with the digits that they came with. As deep as the parser goes, hence without calling itself.
 */
export function formatJsonValue(value: JsonValue): string {
  let text = ''
  const rest: (JsonValue | Verbatim)[] = [value] // what comes first is the last

  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    if (next instanceof Verbatim) text += next.text
    else if (next instanceof JsonNumber) text += next.literal
    else if (next instanceof JsonObject) open('{', sortedMembers(next), '}')
    else if (isList(next))
      open(
        '[',
        next.map((item) => ['', item] as const),
        ']',
      )
    else text += JSON.stringify(next)
  }
  return text

  /** `members` are values, each with what stands before it. */
  function open(start: string, members: readonly (readonly [string, JsonValue])[], end: string): void {
    text += start
    rest.push(new Verbatim(end))
    for (let i = members.length - 1; i >= 0; i--) {
      const [before, member] = members[i]!
      rest.push(member, new Verbatim(i === 0 ? before : `,${before}`))
    }
  }
}

function sortedMembers({ entries }: JsonObject): (readonly [string, JsonValue])[] {
  return [...new Map(entries)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => [`${JSON.stringify(key)}:`, value] as const)
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value)
}
