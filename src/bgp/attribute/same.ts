/** Whether two sets of attributes say the same, though they are not one object. */
import type { PathAttributes } from './attributes.ts'
import { encodeAttributes } from './encode.ts'

const SESSION = { as4: true }

export function sameAttributes(a: PathAttributes, b: PathAttributes): boolean {
  if (a === b) return true
  if (a.nextHop !== b.nextHop || a.linkLocal !== b.linkLocal || a.localPref !== b.localPref || a.med !== b.med)
    return false
  const one = encodeAttributes(a, SESSION, false)
  const other = encodeAttributes(b, SESSION, false)
  return one.length === other.length && one.every((octet, i) => octet === other[i])
}
