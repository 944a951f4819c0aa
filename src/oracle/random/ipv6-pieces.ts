/**
 * IPv6 datagrams in pieces, as no sender makes them: in any order, with gaps and overlaps, cut off within headers, and each
 * piece with headers of its own before its fragment header.
 */
import fc from 'fast-check'
import { mostly, often } from './frame.ts'
import {
  authentication,
  type Extension,
  FRAGMENT,
  fragmentHeader,
  HOP_BY_HOP,
  type Ipv6Frame,
  OPTIONS,
  options,
  routing,
  type Upper,
  uppers,
} from './ipv6-frame.ts'
import { hostOn } from './ipv6-world.ts'

type Shape = 'whole' | 'first' | 'two' | 'three' | 'cut'

interface Train {
  readonly destination: string
  readonly chain: readonly Extension[]
  readonly upper: Upper
  readonly shape: Shape
  /** Of the payload, in eighths: where the second piece begins. */
  readonly cut: number
  /** Bytes between the pieces; negative where they overlap. */
  readonly gap: number
  readonly id: number
  readonly backwards: boolean
  /** What stands before the fragment headers. */
  readonly leads: readonly (readonly Extension[])[]
}

const MOST_PIECES = 3
const SOURCE = hostOn(0, 2)

/** Frames of host a: to another, to the router itself. */
export const ipv6Pieces: fc.Arbitrary<Ipv6Frame[]> = fc
  .record<Train>({
    destination: fc.constantFrom(hostOn(1, 2), hostOn(2, 2), hostOn(0, 1)),
    chain: often(
      fc.constant<Extension[]>([]),
      fc.array(fc.oneof(options(OPTIONS), routing, fc.constant(authentication)), { minLength: 1, maxLength: 2 }),
      1,
    ),
    upper: uppers([]),
    shape: fc.constantFrom('whole', 'whole', 'first', 'two', 'two', 'three', 'cut'),
    cut: fc.nat(8),
    gap: mostly([0, -8, 8], 4),
    id: fc.constantFrom(7, 8, 9),
    backwards: fc.boolean(),
    leads: fc.array(
      often(
        fc.constant<Extension[]>([]),
        fc
          .oneof(options(HOP_BY_HOP), options(OPTIONS), routing, fc.constant(authentication))
          .map((extension) => [extension]),
        3,
      ),
      { minLength: MOST_PIECES, maxLength: MOST_PIECES },
    ),
  })
  .map(framesOf)

function framesOf({ destination, chain, upper, shape, cut, gap, id, backwards, leads }: Train): Ipv6Frame[] {
  const next = chain[0]?.type ?? upper.protocol
  const payload = Uint8Array.from([
    ...chain.flatMap((each, i) => each.bytes(chain[i + 1]?.type ?? upper.protocol)),
    ...upper.bytes({ source: SOURCE, destination }),
  ])
  const frame = (lead: readonly Extension[], protocol: number, bytes: Uint8Array): Ipv6Frame => ({
    source: SOURCE,
    destination,
    from: 'a',
    to: 'router',
    hopLimit: 64,
    trafficClass: 0,
    flowLabel: 0x12345,
    extensions: lead,
    upper: { protocol, bytes: () => bytes },
    damage: 'none',
  })
  const piece = (i: number, offset: number, end: number, more: boolean) =>
    frame([...leads[i]!, fragmentHeader(offset, more, id)], next, payload.subarray(offset, end))
  const middle = 8 * Math.floor((payload.length * cut) / 64)
  const { length } = payload
  if (shape === 'cut') {
    const bytes = Uint8Array.from([...fragmentHeader(0, cut % 2 === 1, id).bytes(next), ...payload])
    return [frame(leads[0]!, FRAGMENT, bytes.subarray(0, cut + 1))]
  }
  if (shape === 'whole') return [piece(0, 0, length, false)]
  if (shape === 'first') return [piece(0, 0, middle, true)]
  const two = [piece(0, 0, middle, true), piece(1, Math.max(0, middle + gap), length, false)]
  const all = shape === 'two' ? two : [...two, piece(2, 0, length, false)]
  return backwards ? all.reverse() : all
}
