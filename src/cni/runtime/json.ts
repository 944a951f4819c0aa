/**
 * JSON as a runtime written in Go keeps it, where src/cni/json.ts is JSON as a plugin written in Go reads it.
 *
 * libcni decodes configurations into maps, changes them and encodes them again: numbers have been a double, keys come out
 * sorted, and `<`, `>`, `&` and the two line separators are escaped. Whoever shares its result cache compares bytes.
 */

export type Json = null | boolean | number | string | readonly Json[] | JsonMap
export interface JsonMap {
  readonly [key: string]: Json
}

/** encoding/json escapes these so that the text may stand in HTML. */
const ESCAPED_BY_GO = /[<>&\u2028\u2029]/g

export function isMap(value: Json | undefined): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Throws SyntaxError when the text is no JSON. */
export function parseJson(text: string): Json {
  return JSON.parse(text)
}

/** Without white space, as json.Marshal writes a map. */
export function formatJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(formatJson).join(',')}]`
  if (!isMap(value)) return formatScalar(value)
  const members = Object.keys(value)
    .sort()
    .map((key) => `${formatScalar(key)}:${formatJson(value[key]!)}`)
  return `{${members.join(',')}}`
}

export function formatScalar(value: Json): string {
  return JSON.stringify(value).replace(ESCAPED_BY_GO, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
