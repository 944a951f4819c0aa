/** The packet's connection: `ct`. Source: net/netfilter/nft_ct.c. */
import type { NftCtKey, NftExpression } from '../../../kernel/nftables.ts'
import { setU16, setU32 } from '../../bytes.ts'
import { type Connection, CtInfo, Direction, type DirectionNumber, directionOf } from '../conntrack/connection.ts'
import type { Address } from '../conntrack/tuple.ts'
import type { Compiled } from './compile.ts'
import { hostU32, setHostU32 } from './host-order.ts'
import { NetfilterProtocol } from './machine.ts'
import { refusal } from './refusal.ts'
import type { Registers } from './registers.ts'
import { BREAK, CONTINUE } from './verdict.ts'

type Ct = Extract<NftExpression, { type: 'ct' }>
type CtSet = Extract<NftExpression, { type: 'ct set' }>

/** NF_CT_STATE_*: bits of `ct state`. */
export const StateBit = { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 } as const

const LENGTHS: { readonly [K in NftCtKey]: number } = {
  state: 4,
  direction: 1,
  status: 4,
  mark: 4,
  src_ip: 4,
  dst_ip: 4,
  src_ip6: 16,
  dst_ip6: 16,
  proto_src: 2,
  proto_dst: 2,
  l3protocol: 1,
  protocol: 1,
  zone: 2,
}

/** Of one direction's tuple. */
const DIRECTED: readonly NftCtKey[] = ['src_ip', 'dst_ip', 'src_ip6', 'dst_ip6', 'proto_src', 'proto_dst']
/** Those that may say a direction, or not. */
const MAY_BE_DIRECTED: readonly NftCtKey[] = ['l3protocol', 'protocol', 'zone']

type Store = (bytes: Uint8Array, at: number, connection: Connection, info: number, direction: DirectionNumber) => void

const STORE: { readonly [K in Exclude<NftCtKey, 'state'>]: Store } = {
  direction: (bytes, at, _connection, info) => setHostU32(bytes, at, directionOf(info)),
  status: (bytes, at, { status }) => setHostU32(bytes, at, status),
  mark: (bytes, at, { mark }) => setHostU32(bytes, at, mark),
  src_ip: (bytes, at, connection, _info, direction) => setAddress(bytes, at, connection.tuple(direction).source),
  dst_ip: (bytes, at, connection, _info, direction) => setAddress(bytes, at, connection.tuple(direction).destination),
  src_ip6: (bytes, at, connection, _info, direction) => setAddress(bytes, at, connection.tuple(direction).source),
  dst_ip6: (bytes, at, connection, _info, direction) => setAddress(bytes, at, connection.tuple(direction).destination),
  proto_src: (bytes, at, connection, _info, direction) => setPart(bytes, at, connection.tuple(direction).sourcePart),
  proto_dst: (bytes, at, connection, _info, direction) =>
    setPart(bytes, at, connection.tuple(direction).destinationPart),
  l3protocol: (bytes, at, { original }) => setHostU32(bytes, at, NetfilterProtocol[original.family]),
  protocol: (bytes, at, { original }) => setHostU32(bytes, at, original.protocol),
  zone: (bytes, at, { zone }) => setHostU32(bytes, at, zone),
}

/** `ct state` of a packet. */
export function stateBit(connection: Connection | undefined, info: number, untracked: boolean): number {
  if (connection === undefined) return untracked ? StateBit.untracked : StateBit.invalid
  return 1 << ((info % CtInfo.isReply) + 1)
}

export function compileCt({ key, register, direction }: Ct, registers: Registers): Compiled {
  if (DIRECTED.includes(key) !== (direction !== undefined) && !MAY_BE_DIRECTED.includes(key)) throw refusal('EINVAL')
  const at = registers.store(register, LENGTHS[key])
  if (key === 'state') {
    return {
      tracks: true,
      operation({ packet, registers: bytes }) {
        setHostU32(bytes, at, stateBit(packet.connection, packet.connectionInfo, packet.untracked))
        return CONTINUE
      },
    }
  }
  const store = STORE[key]
  const side = direction === 'reply' ? Direction.reply : Direction.original
  return {
    tracks: true,
    operation({ packet: { connection, connectionInfo }, registers: bytes }) {
      if (connection === undefined) return BREAK
      store(bytes, at, connection, connectionInfo, side)
      return CONTINUE
    },
  }
}

export function compileCtSet({ key, source }: CtSet, registers: Registers): Compiled {
  if (key !== 'mark') throw refusal('EOPNOTSUPP', key === 'zone' ? 'zones are not modelled' : undefined)
  const at = registers.load(source, 4)
  return {
    tracks: true,
    operation({ packet: { connection }, registers: bytes }) {
      if (connection) connection.mark = hostU32(bytes, at)
      return CONTINUE
    },
  }
}

function setAddress(bytes: Uint8Array, at: number, address: Address): void {
  if (typeof address === 'number') setU32(bytes, at, address)
  else bytes.set(address, at)
}

function setPart(bytes: Uint8Array, at: number, part: number): void {
  setU16(bytes, at, part)
  bytes[at + 2] = 0
  bytes[at + 3] = 0
}
