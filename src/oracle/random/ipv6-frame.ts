/**
 * IPv6 frames of all kinds: hop limits about zero, chains of extension headers, fragments, addresses that mean nothing
 * beyond a link, errors, and neighbour discovery.
 */
import fc from 'fast-check'
import { parseIpv6 } from '../../address/ipv6.ts'
import { checksum, pseudoHeader } from '../../wire/checksum.ts'
import { EtherType } from '../../wire/ethernet.ts'
import { STRANGER } from './address-plan.ts'
import { countedBytes, type FrameStep, fits, frameStep, mostly, often } from './frame.ts'
import {
  DEAD,
  hostMac,
  hostOn,
  type Ipv6World,
  linkLocal,
  linkOf,
  PROXIED,
  routerMac,
  type Sender,
  SPECIAL,
  UNKNOWN,
} from './ipv6-world.ts'

export interface Ends {
  readonly source: string
  readonly destination: string
}

/** What stands behind the headers, made for the addresses that its checksum covers. */
export interface Upper {
  readonly protocol: number
  /** Of a neighbour: RFC 4861 has it heard with a hop limit of 255 alone. */
  readonly isDiscovery?: boolean
  bytes(ends: Ends): Uint8Array
}

/** One header of the chain: its number, and its bytes when the next one's is known. */
export interface Extension {
  readonly type: number
  bytes(next: number): readonly number[]
}

export interface Ipv6Frame extends Ends {
  readonly from: Sender
  readonly to: 'router' | 'all' | 'solicited' | 'broadcast' | 'stranger'
  readonly hopLimit: number
  readonly trafficClass: number
  readonly flowLabel: number
  readonly extensions: readonly Extension[]
  readonly upper: Upper
  readonly damage: 'none' | 'version' | 'longer' | 'shorter' | 'padding' | 'last byte'
}

export const HOP_BY_HOP = 0
const ROUTING = 43
export const FRAGMENT = 44
export const OPTIONS = 60
const TCP = 6
const UDP = 17
const ICMP = 58
const HEADER = 40

/** An option of 4 bytes of data fills a header of 8. */
export const options = (type: number): fc.Arbitrary<Extension> =>
  fc
    .constantFrom<readonly number[]>(
      [1, 4, 0, 0, 0, 0],
      [5, 2, 0, 0, 1, 0], // router alert: RFC 2711
      [0x1e, 4, 1, 2, 3, 4],
      [0x5e, 4, 1, 2, 3, 4],
      [0x9e, 4, 1, 2, 3, 4],
      [0xde, 4, 1, 2, 3, 4],
      [0, 0, 0, 0, 0, 0],
      [1, 9, 0, 0, 0, 0], // longer than the header
      [1, 4, 0, 0, 0, 7],
      [1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      [...Array.from({ length: 9 }, () => [0x1e, 0]).flat(), 1, 2, 0, 0],
    )
    .map((data) => ({ type, bytes: (next) => [next, (data.length - 6) / 8, ...data] }))

export const routing: fc.Arbitrary<Extension> = fc
  .record({ kind: fc.constantFrom(0, 253), left: fc.constantFrom(0, 1, 2), length: fc.constantFrom(2, 0) })
  .map(({ kind, left, length }) => ({
    type: ROUTING,
    bytes: (next) => [next, length, kind, left, 0, 0, 0, 0, ...(length ? parseIpv6(hostOn(2, 2)) : [])],
  }))

export const fragmentHeader = (offset: number, more: boolean, id: number): Extension => ({
  type: FRAGMENT,
  bytes: (next) => [next, 0, offset >> 8, (offset & 0xf8) | (more ? 1 : 0), 0, 0, 0, id],
})

const fragment: fc.Arbitrary<Extension> = fc
  .tuple(mostly([0, 8, 1232, 65_528]), fc.boolean(), fc.constantFrom(7, 8))
  .map(([offset, more, id]) => fragmentHeader(offset, more, id))

export const authentication: Extension = {
  type: 51,
  bytes: (next) => [next, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1],
}

const other: fc.Arbitrary<Extension> = fc.constantFrom<Extension[]>(authentication, {
  type: 135,
  bytes: (next) => [next, 0, 0, 0, 0, 0, 0, 0],
})

const extensions: fc.Arbitrary<Extension[]> = often(
  fc.constant([]),
  fc.array(fc.oneof(options(HOP_BY_HOP), options(OPTIONS), fragment, routing, other), { minLength: 1, maxLength: 3 }),
  4,
)

function withChecksum(bytes: Uint8Array, at: number, protocol: number, ends: Ends): Uint8Array {
  const sum = checksum(bytes, pseudoHeader(ends, protocol, bytes.length))
  new DataView(bytes.buffer).setUint16(at, sum || 0xffff)
  return bytes
}

function icmp(type: number, code: number, rest: readonly number[], data: Uint8Array): Upper {
  return {
    protocol: ICMP,
    bytes: (ends) => withChecksum(Uint8Array.from([type, code, 0, 0, ...rest, ...data]), 2, ICMP, ends),
  }
}

const sizes = (mtus: readonly number[]) =>
  often(
    fc.constantFrom(8, 1, 0, 64),
    fc
      .tuple(fc.constantFrom(...mtus, 1280), fc.constantFrom(0, 1, -1, 8))
      .map(([mtu, more]) => mtu + more - HEADER - 8),
    3,
  )

const ports = fc.record({ from: fc.constantFrom(4000, 40_000), to: mostly([4001, 53, 0]) })
const wordOf = (value: number) => [value >> 8, value & 0xff]

const udp = (mtus: readonly number[]): fc.Arbitrary<Upper> =>
  fc.tuple(ports, sizes(mtus)).map(([{ from, to }, size]) => ({
    protocol: UDP,
    bytes: (ends) =>
      withChecksum(
        Uint8Array.from([...wordOf(from), ...wordOf(to), ...wordOf(8 + size), 0, 0, ...countedBytes(size)]),
        6,
        UDP,
        ends,
      ),
  }))

const tcp: fc.Arbitrary<Upper> = fc
  .tuple(ports, fc.constantFrom(0x02, 0x10, 0x12, 0x04, 0x11))
  .map(([{ from, to }, flags]) => ({
    protocol: TCP,
    bytes: (ends) =>
      withChecksum(
        Uint8Array.from([...wordOf(from), ...wordOf(to), 0, 0, 0, 5, 0, 0, 0, 7, 0x50, flags, 1, 0, 0, 0, 0, 0]),
        16,
        TCP,
        ends,
      ),
  }))

const echo = (mtus: readonly number[]): fc.Arbitrary<Upper> =>
  fc
    .tuple(often(fc.constant(128), fc.constant(129), 9), sizes(mtus))
    .map(([type, size]) => icmp(type, 0, [0, 7, 0, 1], countedBytes(size)))

/** About a packet that went the other way, whole or cut off. */
const error: fc.Arbitrary<Upper> = fc
  .record({
    type: fc.constantFrom(1, 2, 3, 4, 100),
    code: fc.constantFrom(0, 1, 3, 4),
    value: fc.constantFrom(0, 1280, 1400, 600),
    quoted: fc.constantFrom(0, 20, 40, 48, 88),
  })
  .map(({ type, code, value, quoted }) => ({
    protocol: ICMP,
    bytes: (ends) => {
      const asked = { source: ends.destination, destination: ends.source }
      const packet = packetOf(
        { ...asked, hopLimit: 1, trafficClass: 0, flowLabel: 0 },
        [],
        icmp(128, 0, [0, 7, 0, 1], countedBytes(40)),
      )
      return icmp(type, code, [0, 0, ...wordOf(value)], packet.subarray(0, quoted)).bytes(ends)
    },
  }))

const TARGETS = [hostOn(0, 1), PROXIED, hostOn(0, 2), hostOn(1, 1), DEAD, linkLocal(1), 'ff02::1'] as const

const discovery: fc.Arbitrary<Upper> = fc
  .record({
    type: fc.constantFrom(135, 136, 133, 134, 137, 143),
    code: often(fc.constant(0), fc.constant(1), 9),
    target: fc.constantFrom(...TARGETS),
    flags: fc.constantFrom(0, 0x40, 0x60, 0xe0, 0x20),
    option: fc.constantFrom('none', 'source', 'target', 'empty'),
  })
  .map(({ type, code, target, flags, option }) => {
    const mac = [
      ...hostMac(0)
        .split(':')
        .map((part) => Number.parseInt(part, 16)),
    ]
    const bytes = option === 'none' ? [] : option === 'empty' ? [1, 0] : [option === 'source' ? 1 : 2, 1, ...mac]
    const rest = type === 136 ? [flags, 0, 0, 0] : type === 134 ? [64, 0, 0, 0] : [0, 0, 0, 0]
    const named = [...parseIpv6(target), ...(type === 137 ? parseIpv6(hostOn(1, 2)) : [])]
    const body = type === 133 ? bytes : type === 134 ? [0, 0, 0, 0, 0, 0, 0, 0, ...bytes] : [...named, ...bytes]
    return { ...icmp(type, code, rest, Uint8Array.from(body)), isDiscovery: true }
  })

const none: fc.Arbitrary<Upper> = fc
  .constantFrom(59, 253, 50)
  .map((protocol) => ({ protocol, bytes: () => countedBytes(16) }))

export const uppers = (mtus: readonly number[]): fc.Arbitrary<Upper> =>
  fc.oneof(
    { withCrossShrink: true },
    { weight: 16, arbitrary: echo(mtus) },
    { weight: 4, arbitrary: udp(mtus) },
    { weight: 2, arbitrary: tcp },
    { weight: 1, arbitrary: error },
    { weight: 2, arbitrary: discovery },
    { weight: 1, arbitrary: none },
  )

/** Of no host, or of none beyond a link. */
const ODD_SOURCES = ['::1', '::', 'ff02::1', 'ff0e::1', '::ffff:10.0.0.1', hostOn(0, 1), hostOn(1, 1), linkLocal(2)]
const ODD_DESTINATIONS = ['::1', '::', 'ff02::1', 'ff02::2', 'ff05::1', 'ff02::1:ff00:1', 'ff01::1', '::ffff:10.0.0.1']

export function ipv6Frames({ mtus }: Pick<Ipv6World, 'mtus'>): fc.Arbitrary<Ipv6Frame> {
  return fc.constantFrom<Sender[]>('a', 'a', 'b', 'c').chain((from) => {
    const link = linkOf(from)
    const others = [0, 1, 2].filter((each) => each !== link)
    return fc
      .record({
        from: fc.constant(from),
        source: often(
          fc.constantFrom(hostOn(link, 2), hostOn(link, 2), hostOn(link, 3)),
          fc.constantFrom(...ODD_SOURCES, STRANGER.address6),
          12,
        ),
        destination: often(
          fc.constantFrom(...others.map((each) => hostOn(each, 2)), hostOn(link, 1), hostOn(others[0]!, 1), UNKNOWN),
          fc.constantFrom(
            ...SPECIAL,
            DEAD,
            PROXIED,
            hostOn(link, 4),
            hostOn(1, 0),
            linkLocal(1),
            linkLocal(9),
            STRANGER.address6,
            ...ODD_DESTINATIONS,
          ),
          4,
        ),
        to: mostly(['router', 'all', 'solicited', 'broadcast', 'stranger'] as const, 14),
        hopLimit: mostly([64, 1, 2, 3, 0, 255], 10),
        trafficClass: mostly([0, 0xb9], 4),
        flowLabel: mostly([0x12345, 0, 0xfffff], 2),
        extensions,
        upper: uppers([1500, ...mtus]),
        damage: mostly(['none', 'version', 'longer', 'shorter', 'padding', 'last byte'] as const, 20),
      })
      .map((frame) => (frame.upper.isDiscovery && frame.hopLimit === 64 ? { ...frame, hopLimit: 255 } : frame))
  })
}

type Fields = Ends & Pick<Ipv6Frame, 'hopLimit' | 'trafficClass' | 'flowLabel'>

export function packetOf(
  { source, destination, hopLimit, trafficClass, flowLabel }: Fields,
  chain: readonly Extension[],
  upper: Upper,
): Uint8Array {
  const behind = chain.flatMap((each, i) => each.bytes(chain[i + 1]?.type ?? upper.protocol))
  const payload = upper.bytes({ source, destination })
  const length = behind.length + payload.length
  const first = (0x60000000 | (trafficClass << 20) | flowLabel) >>> 0
  const head = [first >>> 24, (first >>> 16) & 0xff, (first >>> 8) & 0xff, first & 0xff, ...wordOf(length)]
  const next = chain[0]?.type ?? upper.protocol
  return Uint8Array.from([
    ...head,
    next,
    hopLimit,
    ...parseIpv6(source),
    ...parseIpv6(destination),
    ...behind,
    ...payload,
  ])
}

/** The step that sends it; none where it does not fit its link. */
export function ipv6Step(frame: Ipv6Frame, mtus: readonly [number, number]): FrameStep[] {
  const { from, to, upper, damage } = frame
  const link = linkOf(from)
  const packet = damaged(packetOf(frame, frame.extensions, upper), damage)
  const destination = {
    router: routerMac(link),
    all: '33:33:00:00:00:01',
    solicited: '33:33:ff:00:00:01',
    broadcast: 'ff:ff:ff:ff:ff:ff',
    stranger: STRANGER.mac,
  }[to]
  const step = frameStep({ ns: from, dev: 'eth0' }, { source: hostMac(link), destination }, packet, EtherType.ipv6)
  return fits(step, link === 0 ? 1500 : mtus[link - 1]!) ? [step] : []
}

function damaged(packet: Uint8Array, kind: Ipv6Frame['damage']): Uint8Array {
  const copy = packet.slice()
  if (kind === 'version') copy[0]! ^= 0x10
  if (kind === 'longer') copy[5] = (copy[5]! + 1) & 0xff
  if (kind === 'shorter') copy[5] = Math.max(0, copy[5]! - 1)
  if (kind === 'last byte') copy[copy.length - 1]! ^= 1
  return kind === 'padding' ? Uint8Array.of(...copy, 0, 0, 0, 0, 0) : copy
}
