/** The speaker's role towards its peer: RFC 9234 §4.1. */
import type { CapabilityCodec } from './capability.ts'

const ROLES = ['provider', 'route server', 'route server client', 'customer', 'peer'] as const
export type Role = (typeof ROLES)[number]

export const role: CapabilityCodec<Role> = {
  code: 9,
  decode: (data) => (data.length === 1 ? ROLES[data[0]!] : undefined),
  encode: (name) => Uint8Array.of(ROLES.indexOf(name)),
  show: (name) => name,
}
