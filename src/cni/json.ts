/**
 * JSON as Go's encoding/json reads it, since configurations in the wild rely on its habits: keys match in any case, the
 * last of several wins, `null` is as good as absent, and a number is an integer only when it is written as one.
 */

export type JsonValue = null | boolean | string | JsonNumber | JsonObject | readonly JsonValue[]

/** A number as it was written: `1500.0` is no integer to Go. */
export interface JsonNumber {
  readonly literal: string
}

/** An object with its keys as they came, duplicates included. Getters answer undefined for what is absent or null, and throw CniError (decoding failure) for another type. */
export interface JsonObject {
  readonly entries: readonly (readonly [string, JsonValue])[]
  has(key: string): boolean
  value(key: string): JsonValue | undefined
  string(key: string): string | undefined
  boolean(key: string): boolean | undefined
  /** Within a signed 64-bit integer unless narrowed. */
  integer(key: string, range?: { readonly min?: number; readonly max?: number }): number | undefined
  object(key: string): JsonObject | undefined
  array(key: string): readonly JsonValue[] | undefined
  strings(key: string): readonly string[] | undefined
  objects(key: string): readonly JsonObject[] | undefined
}
