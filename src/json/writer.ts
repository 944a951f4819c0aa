/**
 * Writes JSON as Go's encoding/json does, but for one habit: `<`, `>` and `&` stay as they are. Go escapes them for the sake
 * of HTML pages; the value is the same to every reader, and people read our messages on a terminal.
 */

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
