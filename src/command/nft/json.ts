/** JSON as jansson writes it for nft: a space behind colons and commas, numbers as they are. */

export type Json =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined }

/** Members that are undefined are left out. */
export function stringify(json: Json): string {
  if (Array.isArray(json)) return `[${json.map(stringify).join(', ')}]`
  if (typeof json !== 'object' || json === null) return typeof json === 'bigint' ? `${json}` : JSON.stringify(json)
  const members = Object.entries(json).filter((member): member is [string, Json] => member[1] !== undefined)
  return `{${members.map(([key, value]) => `${JSON.stringify(key)}: ${stringify(value)}`).join(', ')}}`
}
