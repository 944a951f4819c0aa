/**
 * All routes of a speaker as an MRT file, in blocks: RFC 6396 §4.3. Whoever writes them takes the next one in his time, and the
 * speaker goes on between two. A prefix is dumped as it is when its turn comes.
 *
 * Routes are as their peers have announced them. When each of them came is not kept; its session began before.
 */
import type { PathAttributes } from '../attribute/attributes.ts'
import type { BgpId } from '../bgp-id.ts'
import { FAMILIES, type Family } from '../family.ts'
import { joined } from '../octets.ts'
import type { Path, RibPeer } from '../rib/path.ts'
import { RecentMap } from '../rib/recent-map.ts'
import type { Ribs } from '../rib/ribs.ts'
import { encodeRecord, MrtType, TableDumpSubtype } from './record.ts'
import {
  encodePeerIndexTable,
  encodeRib,
  type MrtPeer,
  ownPeer,
  type RibEntry,
  ribAttributes,
  ribSubtype,
} from './table-dump.ts'

export interface DumpOptions {
  readonly ribs: Ribs
  readonly routerId: BgpId
  readonly as: number
  /** Name of the table, for people; may be empty. */
  readonly view: string
  /** Milliseconds since the epoch. */
  readonly time: number
  /** When the session with the neighbour of this address began, in milliseconds since the epoch. */
  readonly since: (address: string) => number | undefined
}

/** Octets of a block, or more by one record. */
const BLOCK = 65_536
/** Sets of attributes whose octets are remembered. */
const REMEMBERED = 4096
const SECOND = 1000

export function* dumpTables(options: DumpOptions): Generator<Uint8Array> {
  const { ribs, routerId, as, view, time } = options
  const peers = new Peers(options)
  const record = (subtype: number, body: Uint8Array) => encodeRecord({ time, type: MrtType.tableDumpV2, subtype, body })
  const table = encodePeerIndexTable({ collectorId: routerId, view, peers: [ownPeer(routerId, as), ...peers.list] })
  let block = [record(TableDumpSubtype.peerIndexTable, table)]
  let size = table.length
  let sequence = 0
  for (const family of FAMILIES) {
    const octets = octetsOf(family, new RecentMap(REMEMBERED))
    for (const prefix of ribs.tables[family].keys()) {
      for (const entries of peers.entries(ribs.tables[family].paths(prefix), octets)) {
        const rib = { sequence: sequence++, prefix, entries }
        const bytes = record(ribSubtype(rib), encodeRib(rib))
        block.push(bytes)
        size += bytes.length
      }
      if (size < BLOCK) continue
      yield joined(block)
      block = []
      size = 0
    }
    sequence = 0
  }
  yield joined(block)
}

type OctetsOf = (attributes: PathAttributes) => Uint8Array

function octetsOf(family: Family, known: RecentMap<PathAttributes, Uint8Array>): OctetsOf {
  return (attributes) => {
    const octets = known.get(attributes) ?? ribAttributes(family, attributes)
    known.set(attributes, octets)
    return octets
  }
}

/** The peers that routes came from when the dump began. Routes of others are not in it. */
class Peers {
  readonly list: MrtPeer[] = []
  readonly #since: (address: string) => number | undefined
  readonly #time: number
  /** Behind ourselves, who are the first. */
  readonly #places = new Map<string, number>()

  constructor({ ribs, since, time }: DumpOptions) {
    this.#since = since
    this.#time = time
    for (const family of FAMILIES) {
      for (const { paths } of ribs.tables[family].all()) for (const { source } of paths) this.#add(source.peer)
    }
  }

  #add({ kind, address, as, routerId: id }: RibPeer): void {
    if (this.#places.has(address)) return
    this.#places.set(address, kind === 'local' ? 0 : this.list.length + 1)
    if (kind !== 'local') this.list.push({ id, address, as })
  }

  /** Those without path identifiers, then those with: they stand in records of their own. */
  *entries(paths: readonly Path[], octets: OctetsOf): Generator<readonly RibEntry[]> {
    const entries = paths.flatMap((path) => this.#entry(path, octets) ?? [])
    const [plain, identified] = [entries.filter(isPlain), entries.filter((each) => !isPlain(each))]
    if (plain.length > 0) yield plain
    if (identified.length > 0) yield identified
  }

  #entry({ source, received, pathId }: Path, octets: OctetsOf): RibEntry | undefined {
    const { address } = source.peer
    const peer = this.#places.get(address)
    if (peer === undefined) return undefined
    const since = Math.floor((this.#since(address) ?? this.#time) / SECOND)
    return { peer, since, pathId: pathId === 0 ? undefined : pathId, attributes: octets(received) }
  }
}

function isPlain({ pathId }: RibEntry): boolean {
  return pathId === undefined
}
