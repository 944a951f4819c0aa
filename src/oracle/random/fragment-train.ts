/**
 * One datagram in pieces, as hosts send them and as they do not: out of order, twice, one missing, one over another, one that
 * goes on behind the end, pieces that must not be cut.
 */
import fc from 'fast-check'
import { encodeIcmp } from '../../wire/icmp.ts'
import { encodeIpv4, IpProtocol } from '../../wire/ipv4.ts'
import { encodeTcp, TcpFlag } from '../../wire/tcp.ts'
import { encodeUdp } from '../../wire/udp.ts'
import { countedBytes, type Endpoints, mostly, often, plainHeader, rarely } from './frame.ts'

export interface Train {
  readonly protocol: 'udp' | 'echo' | 'tcp' | 'other'
  readonly destinationPort: number
  /** Bytes behind the IPv4 header of the whole datagram. */
  readonly size: number
  /** Bytes in a piece, but for the last. */
  readonly pieces: readonly number[]
  readonly mishaps: readonly Mishap[]
  readonly dontFragment: 'none' | 'all' | 'first' | 'last'
  readonly ttl: number
  readonly tos: number
  readonly wrongChecksum: boolean
}

export interface Mishap {
  readonly kind: (typeof MISHAPS)[number]
  /** Which of the pieces. */
  readonly at: number
}

const MISHAPS = ['first', 'last', 'twice', 'lost', 'longer', 'earlier', 'no end', 'ragged', 'reverse', 'more'] as const

interface Piece {
  readonly offset: number
  readonly length: number
  readonly more: boolean
}

/** `mtus`: sizes are drawn about these. */
export function trains(mtus: readonly number[], ports: readonly number[]): fc.Arbitrary<Train> {
  const aboutMtu = fc
    .tuple(fc.constantFrom(...mtus), fc.constantFrom(0, -1, 1, 8, -8, 400, 1400))
    .map(([mtu, more]) => Math.max(8, mtu - 20 + more))
  const pieceOf = fc.oneof(
    fc.constantFrom(...mtus).map((mtu) => (mtu - 20) & ~7),
    fc.constantFrom(8, 16, 512, 1000, 1024),
  )
  return fc.record({
    protocol: mostly(['echo', 'udp', 'tcp', 'other'], 3),
    destinationPort: fc.constantFrom(...ports),
    size: often(aboutMtu, fc.constantFrom(24, 60, 2000, 2800, 3600), 1),
    pieces: fc.array(pieceOf, { minLength: 1, maxLength: 3 }),
    mishaps: often<readonly Mishap[]>(
      fc.constant([]),
      fc.array(fc.record({ kind: fc.constantFrom(...MISHAPS), at: fc.nat(3) }), { minLength: 1, maxLength: 2 }),
      2,
    ),
    dontFragment: mostly(['none', 'all', 'first', 'last'], 7),
    ttl: mostly([64, 2, 1, 3], 14),
    tos: mostly([0, 0x03, 0x01, 0xb8], 4),
    wrongChecksum: rarely(20),
  })
}

/** The train's packets, in the order in which they are sent. */
export function packetsOf(train: Train, endpoints: Endpoints, identification: number): Uint8Array[] {
  const { ttl, tos, dontFragment } = train
  const { protocol, payload } = datagram(train, endpoints)
  const pieces = train.mishaps.reduce(befall, cut(payload.length, train.pieces))
  const header = { ...plainHeader(endpoints), ttl, tos, identification, protocol }
  return pieces.map(({ offset, length, more }) => {
    const bytes = new Uint8Array(length)
    bytes.set(payload.subarray(offset, offset + length))
    const kept = dontFragment === 'all' || (dontFragment === 'first' ? offset === 0 : dontFragment === 'last' && !more)
    return encodeIpv4({ ...header, dontFragment: kept, fragmentOffset: offset, moreFragments: more, payload: bytes })
  })
}

/** The sizes in turn, again and again; no more than a dozen pieces, the last of which has what is left. */
function cut(total: number, sizes: readonly number[]): Piece[] {
  const pieces: Piece[] = []
  for (let offset = 0; offset < total; ) {
    const size = sizes[pieces.length % sizes.length]!
    const length = pieces.length === MOST_PIECES ? total - offset : Math.min(size, total - offset)
    pieces.push({ offset, length, more: offset + length < total })
    offset += length
  }
  return pieces
}

const MOST_PIECES = 5

function befall(pieces: readonly Piece[], { kind, at }: Mishap): Piece[] {
  const i = at % pieces.length
  const piece = pieces[i]!
  const others = pieces.toSpliced(i, 1)
  switch (kind) {
    case 'first':
      return [piece, ...others]
    case 'last':
      return [...others, piece]
    case 'twice':
      return [...pieces.slice(0, i), piece, ...pieces.slice(i)]
    case 'lost':
      return others.length > 0 ? others : [piece]
    case 'longer':
      return pieces.with(i, { ...piece, length: piece.length + 8 })
    case 'earlier':
      return pieces.with(i, { ...piece, offset: Math.max(0, piece.offset - 8) })
    case 'no end':
      return pieces.map((each) => ({ ...each, more: true }))
    case 'ragged':
      return pieces.with(i, { ...piece, length: Math.max(1, piece.length - 3) })
    case 'reverse':
      return pieces.toReversed()
    case 'more':
      return [...pieces, { offset: (pieces.at(-1)!.offset & ~7) + 1600, length: 40, more: false }]
  }
}

function datagram({ protocol, size, destinationPort, wrongChecksum }: Train, endpoints: Endpoints) {
  const data = (header: number) => countedBytes(Math.max(0, size - header))
  const ports = { sourcePort: 40_000, destinationPort }
  switch (protocol) {
    case 'udp':
      return {
        protocol: IpProtocol.udp,
        payload: flip(encodeUdp({ ...ports, payload: data(8) }, endpoints), wrongChecksum),
      }
    case 'echo': {
      const echo = encodeIcmp({ kind: 'echo', reply: false, identifier: 7, sequence: 1, data: data(8) })
      return { protocol: IpProtocol.icmp, payload: flip(echo, wrongChecksum) }
    }
    case 'tcp': {
      const fields = {
        sequence: 1000,
        acknowledgment: 0,
        flags: TcpFlag.syn,
        window: 65_000,
        urgentPointer: 0,
        options: [],
      }
      return {
        protocol: IpProtocol.tcp,
        payload: flip(encodeTcp({ ...ports, ...fields, payload: data(20) }, endpoints), wrongChecksum),
      }
    }
    case 'other':
      return { protocol: 253, payload: data(0) }
  }
}

function flip(bytes: Uint8Array, wrong: boolean): Uint8Array {
  if (wrong) bytes[bytes.length - 1]! ^= 1
  return bytes
}
