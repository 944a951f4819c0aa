/** A link's counters: struct rtnl_link_stats64, linux/if_link.h. */
import type { LinkStatistics } from '../../kernel/link.ts'
import { DecodeError } from '../../wire/errors.ts'
import { LITTLE_ENDIAN } from '../byte-order.ts'
import { Attributes } from './attribute.ts'

const IFINFOMSG_SIZE = 16
const IFLA_STATS64 = 23
/** Counters that are read, by their place among the structure's u64. */
const PLACES = {
  rxPackets: 0,
  txPackets: 1,
  rxBytes: 2,
  txBytes: 3,
  rxErrors: 4,
  txErrors: 5,
  rxDropped: 6,
  txDropped: 7,
  multicast: 8,
  collisions: 9,
  rxMissed: 15,
  txCarrierErrors: 17,
} as const satisfies Record<keyof LinkStatistics, number>
const LAST_PLACE = 17

/** The payload of an RTM_NEWLINK. */
export function decodeLinkStatistics(payload: Uint8Array): LinkStatistics {
  const counters = new Attributes(payload, IFINFOMSG_SIZE).bytes(IFLA_STATS64)
  if (!counters || counters.length < 8 * (LAST_PLACE + 1))
    throw new DecodeError('rtnl_link_stats64', 0, 'it is cut off')
  const view = new DataView(counters.buffer, counters.byteOffset, counters.length)
  const entries = Object.entries(PLACES).map(([name, place]) => [
    name,
    Number(view.getBigUint64(8 * place, LITTLE_ENDIAN)),
  ])
  return Object.fromEntries(entries) as LinkStatistics
}
