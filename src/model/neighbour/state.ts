/** Words of linux/neighbour.h and net/neighbour.h, as numbers: the data path asks for sets of states. */
import type { NeighbourState } from '../../kernel/neighbour.ts'

/** NUD_*. */
export const Nud = {
  none: 0x00,
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
} as const

export type NudState = (typeof Nud)[keyof typeof Nud]

/** Sent to without a question. */
export const NUD_CONNECTED = Nud.permanent | Nud.noarp | Nud.reachable
/** The address is known. */
export const NUD_VALID = NUD_CONNECTED | Nud.probe | Nud.stale | Nud.delay
/** A timer runs. */
export const NUD_IN_TIMER = Nud.incomplete | Nud.reachable | Nud.delay | Nud.probe

/** NEIGH_UPDATE_F_*: what an update may do. */
export const NeighbourUpdate = {
  /** The address may be another than before. */
  override: 0x01,
  /** It may not; but a known neighbour is to be looked at again. */
  weakOverride: 0x02,
  /** NTF_ROUTER may change. */
  overrideIsRouter: 0x04,
  isRouter: 0x40000000,
  /** Somebody said so: entries that no packet may change. */
  admin: 0x80000000,
} as const

const names = new Map(Object.entries(Nud).map(([name, value]) => [value, name as NeighbourState]))

export function nameOfState(state: NudState): NeighbourState {
  const name = names.get(state)
  if (name === undefined) throw new RangeError(`No neighbour is in state ${state}`)
  return name
}
