/** A packet that captures saw, as a trace: its taps, and what changed from one to the next. */
import type { FieldChanges } from '../model/observer.ts'
import type { TraceDocument, TraceResult, TraceStep } from './document.ts'
import { toHex } from './hex.ts'
import type { SeenPacket, Sighting } from './of-captures.ts'
import { insideVxlan, readHeaders, summarise } from './summary.ts'

/** Nanoseconds in a millisecond. */
const NANOSECONDS = 1e6

export function documentOfPacket(
  { sightings }: SeenPacket,
  id: string,
  result: TraceResult,
  { start, engine }: { readonly start: bigint; readonly engine: TraceDocument['engine'] },
): TraceDocument {
  const first = sightings[0]!
  const steps = sightings.flatMap((sighting, i): Omit<TraceStep, 'n'>[] => {
    const t = Number(sighting.time - start) / NANOSECONDS
    const at = { node: sighting.node, dev: sighting.device }
    const set = changes(sightings[i - 1], sighting)
    const tap = {
      t,
      at,
      stage: 'tap',
      what: sighting.direction,
      len: sighting.frame.length,
      hex: toHex(sighting.frame),
    } as const
    return [Object.keys(set).length > 0 ? { ...tap, set } : tap]
  })
  if (result.disposition === 'dropped' && result.at) {
    const t = Number(sightings.at(-1)!.time - start) / NANOSECONDS
    steps.push({
      t,
      at: result.at,
      stage: 'drop',
      what: result.reason ?? '',
      verdict: 'drop',
      ...(result.reason !== undefined && { reason: result.reason }),
    })
  }
  return {
    v: 1,
    id,
    engine,
    input: {
      node: first.node,
      dev: first.device,
      dir: first.direction,
      hex: toHex(first.frame),
      summary: summarise(first.frame, first.network),
    },
    steps: steps.map((step, n) => ({ n, ...step })),
    result,
  }
}

/** What a person would see change: addresses, ports, TTL; being put into a tunnel, and taken out. */
function changes(before: Sighting | undefined, after: Sighting): FieldChanges {
  if (!before) return {}
  const [a, b] = [innermost(before), innermost(after)]
  const set: Record<string, readonly [unknown, unknown]> = {}
  if (a.tunnel !== b.tunnel) set.tunnel = [a.tunnel ?? 'none', b.tunnel ?? 'none']
  if (!a.headers || !b.headers) return set
  const fields = {
    'ip.ttl': [a.headers.ttl, b.headers.ttl],
    'ip.src': [a.headers.source, b.headers.source],
    'ip.dst': [a.headers.destination, b.headers.destination],
    sport: [a.headers.sourcePort, b.headers.sourcePort],
    dport: [a.headers.destinationPort, b.headers.destinationPort],
  } as const
  for (const [name, [from, to]] of Object.entries(fields)) if (from !== to) set[name] = [from, to]
  return set
}

function innermost({ frame, network }: Sighting) {
  const outer = readHeaders(frame, network)
  const inner = outer && insideVxlan(frame, outer)
  if (!outer || inner === undefined) return { headers: outer, tunnel: undefined }
  return { headers: readHeaders(frame, inner), tunnel: `${outer.source} → ${outer.destination}` }
}
