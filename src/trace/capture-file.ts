/** A trace as a capture for Wireshark: an interface per tap, directions, and what was decided as comments. */
import { encodePcapngInterface, encodePcapngPacket, encodePcapngSection } from '../wire/pcapng.ts'
import { formatWhere, type TraceDocument, type TraceStep } from './document.ts'
import { fromHex } from './hex.ts'

const LINKTYPE_ETHERNET = 1
/** Nanoseconds in a millisecond. */
const NANOSECONDS = 1e6

/** Blocks of a pcapng file, in their order. `encodeText` writes UTF-8. */
export function* captureOf(trace: TraceDocument, encodeText: (text: string) => Uint8Array): Generator<Uint8Array> {
  yield encodePcapngSection()
  const taps = [trace, ...(trace.traces ?? [])].flatMap(tapsOf).sort((a, b) => a.step.t - b.step.t)
  // What came before the packet itself has a negative time, which the format does not.
  const start = Math.min(0, ...taps.slice(0, 1).map(({ step }) => step.t))
  const places = [...new Set(taps.map(({ step }) => formatWhere(step.at)))]
  for (const name of places)
    yield encodePcapngInterface({ name, linkType: LINKTYPE_ETHERNET, snapLength: 0 }, encodeText)
  for (const { step, comment } of taps) {
    const bytes = fromHex(step.hex!)
    const packet = {
      interface: places.indexOf(formatWhere(step.at)),
      time: BigInt(Math.round((step.t - start) * NANOSECONDS)),
      length: bytes.length,
      bytes,
      direction: step.what === 'in' ? 'inbound' : 'outbound',
      comment,
    } as const
    yield encodePcapngPacket(packet, encodeText)
  }
}

interface CommentedTap {
  readonly step: TraceStep
  readonly comment: string | undefined
}

/** Frames with what was decided since the one before; with the last frame also what became of the packet after it. */
function tapsOf({ steps }: TraceDocument): CommentedTap[] {
  const taps: CommentedTap[] = []
  let decisions: string[] = []
  for (const step of steps) {
    if (step.hex === undefined) {
      decisions.push(`${step.stage}: ${step.what ?? step.ref ?? ''}`)
      continue
    }
    taps.push({ step, comment: commentOf(decisions) })
    decisions = []
  }
  const last = taps.pop()
  if (!last) return []
  return [...taps, { step: last.step, comment: commentOf([last.comment ?? '', ...decisions]) }]
}

function commentOf(lines: readonly string[]): string | undefined {
  return lines.filter((line) => line !== '').join('\n') || undefined
}
