/** RT_SCOPE_*, linux/rtnetlink.h: how far an address or a route reaches. */
import type { Scope } from '../../kernel/address.ts'

const NUMBERS = { global: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const

export function scopeNumber(scope: Scope): number {
  return typeof scope === 'number' ? scope : NUMBERS[scope]
}

/** The name, or the number where it has none. */
export function scopeOf(number: number): Scope {
  const entry = Object.entries(NUMBERS).find(([, value]) => value === number)
  return entry ? (entry[0] as keyof typeof NUMBERS) : number
}
