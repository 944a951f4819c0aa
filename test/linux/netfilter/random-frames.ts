/** Frames with all that rules look at, drawn by their number: the same for each kernel. */
import { checksum, pseudoHeader } from '../../../src/wire/checksum.ts'

export const PEER_MAC = '02:00:00:00:00:02'

const MACS = [
  [2, 0, 0, 0, 0, 2],
  [2, 0, 0, 0, 0, 2],
  [2, 0, 0, 0, 0, 2],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [1, 0, 0x5e, 0, 0, 5],
]
const SOURCES = [
  [10, 0, 0, 7],
  [10, 0, 0, 7],
  [10, 0, 0, 9],
  [10, 0, 9, 1],
  [192, 0, 2, 1],
  [10, 0, 8, 3],
  [10, 0, 0, 2],
]
const DESTINATIONS = [
  [10, 0, 0, 1],
  [10, 0, 0, 1],
  [10, 0, 0, 2],
  [10, 0, 0, 255],
  [10, 0, 8, 1],
  [10, 0, 9, 9],
  [224, 0, 0, 5],
  [198, 51, 100, 1],
]
const PORTS = [22, 53, 80, 81, 443, 1024, 40_000]
const FLAGS = [0x02, 0x02, 0x12, 0x10, 0x11, 0x04, 0x3f]
const OPTIONS = [[], [2, 4, 5, 0xb4], [1, 3, 3, 7], [2, 4, 2, 0x18, 4, 2, 1, 1], [8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 0]]

/** Of TCP, UDP and ICMP. */
const CHECKSUM_AT: Readonly<Record<number, number>> = { 6: 16, 17: 6, 1: 2 }

type Draw = <T>(values: readonly T[]) => T

function drawing(seed: number): Draw {
  let state = (seed * 2654435761) >>> 0
  return (values) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return values[(state >>> 8) % values.length]!
  }
}

function transport(draw: Draw, protocol: number): number[] {
  const [source, destination] = [draw(PORTS), draw(PORTS)]
  const ports = [source >> 8, source & 0xff, destination >> 8, destination & 0xff]
  if (protocol === 6) {
    const options = draw(OPTIONS)
    const header = [...ports, 0, 0, 0, 1, 0, 0, 0, 2, ((20 + options.length) / 4) << 4, draw(FLAGS), 4, 0, 0, 0, 0, 0]
    return [...header, ...options, ...draw([[], [1, 2, 3, 4, 5, 6]])]
  }
  if (protocol === 17) return [...ports, 0, 10, 0, 0, 0x41, 0x42]
  if (protocol === 1 || protocol === 58) return [draw([8, 0, 3, 11]), draw([0, 1, 4]), 0, 0, 0, 1, 0, 1, 9, 9]
  return draw([[1, 2, 3], new Array(24).fill(7)])
}

export function ipv4Frame(n: number): Uint8Array {
  const draw = drawing(n)
  const protocol = draw([6, 6, 17, 17, 1, 50])
  const segment = transport(draw, protocol)
  // Later fragments, too, one of them at the first place where it would overwrite TCP's flags.
  const fragment = draw([0, 0, 0, 0, 0, 0x4000, 0x2000, 1, 185, 0x2005])
  const options = draw([[], [], [], [], [1, 1, 1, 0]])
  const length = 20 + options.length + segment.length
  const header = [
    0x45 + options.length / 4,
    draw([0, 0, 4, 0xb9]),
    length >> 8,
    length & 0xff,
    n >> 8,
    n & 0xff,
    fragment >> 8,
    fragment & 0xff,
    draw([1, 2, 64]),
    protocol,
    0,
    0,
    ...draw(SOURCES),
    ...draw(DESTINATIONS),
    ...options,
  ]
  const at = CHECKSUM_AT[protocol]
  if (at !== undefined && draw([true, true, true, false])) {
    const [source, destination] = [header.slice(12, 16).join('.'), header.slice(16, 20).join('.')]
    const pseudo = protocol === 1 ? 0 : pseudoHeader({ source, destination }, protocol, segment.length)
    const segmentSum = checksum(Uint8Array.from(segment), pseudo)
    segment[at] = segmentSum >> 8
    segment[at + 1] = segmentSum & 0xff
  }
  const sum = checksum(Uint8Array.from(header))
  header[10] = sum >> 8
  header[11] = sum & 0xff
  return framed(draw, [8, 0], [...header, ...segment, ...draw([[], [], [0, 0, 0, 0, 0, 0]])])
}

export function ipv6Frame(n: number): Uint8Array {
  const draw = drawing(n)
  const protocol = draw([6, 17, 58, 59, 50])
  const segment = transport(draw, protocol)
  const chain = draw<readonly (readonly number[])[]>([
    [],
    [],
    [[0, 0, 1, 4, 0, 0, 0, 0]],
    [[60, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    [[44, 0, 0, 1, 0, 0, 0, 9]],
    [[44, 0, 0, 0x99, 0, 0, 0, 9]],
    [
      [0, 0, 1, 4, 0, 0, 0, 0],
      [44, 0, 0, 1, 0, 0, 0, 9],
    ],
    [[51, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]],
  ])
  const extensions = chain.flatMap(([, ...rest], i) => [chain[i + 1]?.[0] ?? protocol, ...rest])
  const length = extensions.length + segment.length
  const address = (last: number) => [0x20, 1, 0xd, 0xb8, ...new Array(11).fill(0), last]
  const header = [0x60 | draw([0, 1]), 0, 0, 0, length >> 8, length & 0xff, chain[0]?.[0] ?? protocol, draw([1, 64])]
  return framed(draw, [0x86, 0xdd], [...header, ...address(1), ...address(draw([2, 3])), ...extensions, ...segment])
}

export function arpFrame(n: number): Uint8Array {
  const draw = drawing(n)
  const sender = [2, 0, 0, 0, 0, draw([1, 9])]
  const question = [0, 1, 8, 0, 6, 4, 0, draw([1, 2]), ...sender, ...draw(SOURCES)]
  return framed(draw, [8, 6], [...question, 0, 0, 0, 0, 0, 0, ...draw(DESTINATIONS), ...new Array(18).fill(0)])
}

function framed(draw: Draw, etherType: readonly number[], rest: readonly number[]): Uint8Array {
  return Uint8Array.of(...draw(MACS), 2, 0, 0, 0, 0, draw([1, 9]), ...etherType, ...rest)
}
