/** Interface names, with a `+` at the end for all that begin so: xtables_parse_interface(). */
import { badParameter } from './error.ts'

/** IFNAMSIZ without the NUL. */
const MAX_NAME = 15

export function parseInterface(name: string): string {
  if (name.length > MAX_NAME) {
    throw badParameter(`interface name \`${name}' must be shorter than IFNAMSIZ (${MAX_NAME})`)
  }
  return name
}
