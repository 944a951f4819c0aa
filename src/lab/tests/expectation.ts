/** A trace held against what a test expects of it. Both engines' traces are read alike. */
import { formatWhere, type TraceDocument, type TraceStep, type Where } from '../../trace/document.ts'
import { fromHex } from '../../trace/hex.ts'
import { insideVxlan, readHeaders } from '../../trace/summary.ts'
import { isPod } from './check-tests.ts'
import { type Expectation, isLike } from './description.ts'

/** What is otherwise, each in a sentence without its full stop; nothing when all is as expected. */
export function differencesOf(trace: TraceDocument, expect: Expectation): string[] {
  const { disposition, at, mtu, why = '' } = trace.result
  const found = foundOf(trace)
  const said: string[] = []
  const check = (isRight: boolean, expected: string, otherwise: string) => {
    if (!isRight) said.push(`expected ${expected}, found ${otherwise}`)
  }
  const arrived = disposition === 'delivered'
  if (wantsArrival(expect)) {
    const { delivered } = expect
    const where = delivered === undefined ? '' : ` at ${delivered}`
    if (!arrived) return [`expected delivered${where}, found ${found}`]
    const isThere =
      delivered === undefined || (at !== undefined && (isPod(at.node, delivered) || isPod(at.node, delivered, 'node')))
    check(isThere, `delivered${where}`, found)
  }
  if (expect.dropped !== undefined) {
    const isDropped = disposition === 'dropped' && (expect.dropped === '*' || trace.result.reason === expect.dropped)
    check(isDropped, `dropped${expect.dropped === '*' ? '' : ` with ${expect.dropped}`}`, found)
  }
  const reply = expect.replied === undefined ? undefined : replyOf(trace, expect.replied)
  if (expect.replied !== undefined) {
    const heard = repliesOf(trace).map(({ input }) => nameOfReply(input.summary))
    check(reply !== undefined, `the reply ${expect.replied}`, heard.length > 0 ? heard.join(', ') : `none: ${found}`)
  }
  if (said.length > 0) return said
  if (expect.at !== undefined) {
    const place = reply ? { node: reply.input.node, dev: reply.input.dev } : at
    check(
      place !== undefined && isAt(place, expect.at),
      `it at ${expect.at}`,
      `it ${place ? `at ${formatWhere(place)}` : 'nowhere'}`,
    )
  }
  if (expect.mtu !== undefined) {
    const told = reply ? toldMtu(reply.input.summary) : mtu
    check(told === expect.mtu, `MTU ${expect.mtu}`, told === undefined ? 'none' : `${told}`)
  }
  if (expect.says !== undefined) check(isLike(why, expect.says), `the sentence "${expect.says}"`, `"${why}"`)
  return [...said, ...arrivalDifferences(trace, expect)]
}

/** Of anything that is neither dropped nor replied to it is expected that it arrives. */
const wantsArrival = ({ delivered, dropped, replied, ...rest }: Expectation) =>
  delivered !== undefined || (dropped === undefined && replied === undefined && Object.keys(rest).length > 0)

function arrivalDifferences(trace: TraceDocument, { dnat, via, source, ttl }: Expectation): string[] {
  const said: string[] = []
  if (dnat !== undefined) {
    const turned = turnedTo(trace.steps)
    const isRight = turned !== undefined && (turned === dnat || turned.split(':')[0] === dnat)
    if (!isRight) said.push(`expected DNAT to ${dnat}, found ${turned ?? 'none'}`)
  }
  const missing = via && firstMissing(trace.steps, via)
  if (missing !== undefined) {
    const passed = [...new Set(trace.steps.map(({ at }) => formatWhere(at)))]
    said.push(`expected it to pass ${via!.join(', ')}; after ${passed.join(', ')} there is no ${missing}`)
  }
  const arrival = trace.steps.findLast(({ hex }) => hex !== undefined)?.hex
  const headers = arrival === undefined ? undefined : innermost(fromHex(arrival))
  if (source !== undefined && headers?.source !== source)
    said.push(`expected source ${source}, found ${headers?.source}`)
  if (ttl !== undefined && headers?.ttl !== ttl) said.push(`expected TTL ${ttl} left, found ${headers?.ttl}`)
  return said
}

/** `delivered at api-0/eth0`, `DROPPED at n1/flannel.1: NO_TX_TARGET`. */
export function foundOf({ result: { disposition, at, reason } }: TraceDocument): string {
  const where = at ? ` at ${formatWhere(at)}` : ''
  return disposition === 'delivered'
    ? `delivered${where}`
    : `${disposition.toUpperCase()}${where}${reason ? `: ${reason}` : ''}`
}

/** Errors and resets that came to whom they were for: the sender. */
function repliesOf({ input, traces = [] }: TraceDocument): TraceDocument[] {
  return traces.filter((each) => {
    const { disposition, at } = each.result
    return disposition === 'delivered' && at?.node === input.node && nameOfReply(each.input.summary) !== undefined
  })
}

/** By its name, or any that tells of a loss with this reason. */
function replyOf(trace: TraceDocument, replied: string): TraceDocument | undefined {
  const wanted = replied.replace(/^ICMP(?:v6)? /, '')
  const replies = repliesOf(trace)
  if (/^\d+\/\d+$|^RST$/.test(wanted)) return replies.find(({ input }) => nameOfReply(input.summary) === wanted)
  return trace.result.reason === wanted ? replies[0] : undefined
}

/** `3/4` of `ICMP 3/4 mtu 1450 …`, `RST` of `TCP RST-ACK …`. */
function nameOfReply(summary: string): string | undefined {
  if (/^TCP (?:\S+-)?RST/.test(summary)) return 'RST'
  return /^ICMP(?:v6)? (\d+\/\d+)/.exec(summary)?.[1]
}

function toldMtu(summary: string): number | undefined {
  const mtu = / mtu (\d+)/.exec(summary)?.[1]
  return mtu === undefined ? undefined : Number(mtu)
}

function isAt(place: Where, wanted: string): boolean {
  return place.node === wanted || formatWhere(place) === wanted
}

/** Of the places that it must pass in this order, the first that it did not come to. */
function firstMissing(steps: readonly TraceStep[], via: readonly string[]): string | undefined {
  const left = [...via]
  for (const { at } of steps) if (left.length > 0 && isAt(at, left[0]!)) left.shift()
  return left[0]
}

/** `10.244.1.2:8080`, by the steps that changed it. */
function turnedTo(steps: readonly TraceStep[]): string | undefined {
  const last = (field: string) => steps.findLast(({ set = {} }) => field in set)?.set?.[field]?.[1]
  const address = last('ip.dst')
  if (address === undefined) return undefined
  const hex = steps.findLast((step) => step.hex !== undefined)?.hex
  const port = last('dport') ?? (hex === undefined ? undefined : innermost(fromHex(hex))?.destinationPort)
  return port === undefined ? String(address) : `${address}:${port}`
}

function innermost(frame: Uint8Array) {
  const outer = readHeaders(frame)
  const inner = outer && insideVxlan(frame, outer)
  return inner === undefined ? outer : readHeaders(frame, inner)
}
