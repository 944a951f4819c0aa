/**
 * A trace as people read it: a line for every decision, in the order of the packet's way, what it did to the packet at the
 * right, and how it ended below.
 *
 *   web-0 TCP SYN 10.244.0.2:40000 → 10.96.0.10:80  74 B   model linux-6.18 · seed 1
 *    node   dev        stage    decision                                        packet
 *    n1     cni0       nat      DNAT to 10.244.1.2:8080                         dst 10.96.0.10 → 10.244.1.2 · ct NEW
 */
import { formatWhere, type TraceDocument, type TraceStep } from './document.ts'
import { allRows, captureRows, decisionRows, type Row } from './rows.ts'
import { styleText } from './style.ts'

export interface TextOptions {
  /** Every step, captures and rules that were passed too, and nothing cut off. */
  readonly verbose: boolean
  /** The frame at every tap, in hexadecimal. */
  readonly hex: boolean
  readonly colour: boolean
  /** Lines below a step: what of the same table was not chosen. */
  readonly beside?: (trace: TraceDocument, step: TraceStep) => readonly string[]
}

type Paint = ReturnType<typeof styleText>

/** Columns of the text. A node and a device get what their longest name takes, up to `most`. */
const WIDTHS = { node: { least: 6, most: 20 }, device: { least: 10, most: 15 }, stage: 8, decision: 56 } as const
/** Rows that are told one by one; of more, as a loop makes them, the first and the last. */
const MANY = 60
const FIRST = 20
const LAST = 6
/** Columns of a sentence. */
const LINE = 100

export function formatTrace(trace: TraceDocument, options: TextOptions): string {
  const paint = styleText(options.colour)
  const { input, engine, result } = trace
  const size = input.hex === '' ? '' : `  ${input.hex.length / 2} B`
  const seed = engine.seed === undefined ? [] : [`seed ${engine.seed}`]
  const source = [`${engine.kind}${engine.profile ? ` ${engine.profile}` : ''}`, ...seed]
  const lines = [`${paint('bold', `${input.node} ${input.summary}${size}`)}   ${paint('dim', source.join(' · '))}`]
  if (trace.steps.length > 0) lines.push(...formatSteps(trace, options))
  for (const other of toldInFull(trace, options)) {
    lines.push('', paint('bold', `${labelOf(other)}: ${other.input.node} ${other.input.summary}`))
    lines.push(...formatSteps(other, options))
  }
  const reply = trace.traces?.find(({ id }) => id === result.reply)
  if (reply && result.disposition === 'delivered') lines.push(formatReply(reply, trace, paint))
  lines.push('', ...formatResult(trace, paint))
  return lines.join('\n')
}

/** What was lost, where that is not the packet itself; everything, where that is asked for. */
function toldInFull({ result, traces = [] }: TraceDocument, { verbose }: TextOptions): readonly TraceDocument[] {
  if (verbose) return traces
  return result.disposition === 'delivered' ? [] : traces.filter(({ id }) => id === result.reply)
}

const labelOf = ({ input }: TraceDocument) => (input.summary.startsWith('ICMP') ? 'answer' : 'reply')

function rowsOf(trace: TraceDocument, verbose: boolean): Row[] {
  if (trace.engine.kind === 'kernel') return captureRows(trace) // of the kernel there are only captures
  return verbose ? allRows(trace) : decisionRows(trace)
}

function formatSteps(trace: TraceDocument, { verbose, hex, colour, beside }: TextOptions): string[] {
  const paint = styleText(colour)
  const rows = rowsOf(trace, verbose)
  const node = widthOf(
    rows.map(({ at }) => at.node),
    WIDTHS.node,
  )
  const device = widthOf(
    rows.map(({ at }) => at.dev ?? ''),
    WIDTHS.device,
  )
  const columns = (...[place, link, stage, decision]: [string, string, string, string]) =>
    [place.padEnd(node), link.padEnd(device), stage.padEnd(WIDTHS.stage), decision.padEnd(WIDTHS.decision)].join(' ')
  const lines = [paint('dim', ` ${columns('node', 'dev', 'stage', 'decision')} packet`)]
  let place = ''
  const left = verbose || rows.length <= MANY ? 0 : rows.length - FIRST - LAST
  for (const [i, { at, stage, decision, packet, dropped, step }] of rows.entries()) {
    if (i === FIRST && left > 0) lines.push(paint('dim', ` … ${left} more rows: --verbose`))
    if (i >= FIRST && i < FIRST + left) continue
    // What went wrong is said in full.
    const text = verbose || dropped ? decision : cut(decision, WIDTHS.decision)
    const line = columns(at.node === place ? '' : at.node, at.dev ?? '·', stage, text)
    lines.push(` ${dropped ? paint('red', line) : line} ${packet}`.trimEnd())
    place = at.node
    if (hex && step.hex) lines.push(...hexDump(step.hex).map((text) => paint('dim', `        ${text}`)))
    for (const text of beside?.(trace, step) ?? [])
      lines.push(paint('dim', ` ${columns('', '', '', `not ${text}`)}`.trimEnd()))
  }
  return lines
}

/** ` reply  TCP SYN-ACK back in 16 rows, un-DNAT on n1   OK 0.28 ms`. */
function formatReply(reply: TraceDocument, { steps }: TraceDocument, paint: Paint): string {
  const name = reply.input.summary.replace(/ \S+ → \S+$/, '')
  const undone = reply.steps.flatMap(({ at, set = {} }) => [
    ...('ip.src' in set ? [`un-DNAT on ${at.node}`] : []),
    ...('ip.dst' in set ? [`un-SNAT on ${at.node}`] : []),
  ])
  const way = [`${name} back in ${rowsOf(reply, false).length} stages`, ...undone].join(', ')
  const time = (reply.steps.at(-1)?.t ?? 0) - (steps[0]?.t ?? 0)
  const answer = reply.result.disposition === 'delivered' ? paint('green', 'OK') : reply.result.disposition
  return ` reply  ${way}  ${answer}${time > 0 ? ` ${time.toFixed(2)} ms` : ''}`
}

function formatResult(trace: TraceDocument, paint: Paint): string[] {
  const { disposition, reason, kernel, at, why = '', fix = [], reply } = trace.result
  const place = at ? ` at ${formatWhere(at)}` : ''
  const sentence = wrap(why, LINE - 2).map((line) => `  ${line}`)
  if (disposition === 'delivered') {
    const both = reply === undefined ? '' : ' both ways'
    return [[paint('green', `✔ DELIVERED${both}${place}`), ...countsOf(trace)].join(' · '), ...sentence]
  }
  const cause = reason ? `: ${reason}${kernel ? ` (${kernel})` : ''}` : ''
  return [
    paint('red', `✗ ${disposition.toUpperCase()}${place}${cause}`),
    ...sentence,
    ...fix.map((command) => `  fix: ${command}`),
  ]
}

/** Whom it passed, how often it was routed and turned to another destination, and how large it may be. */
function countsOf({ steps, result: { hops = 0, mtu } }: TraceDocument): string[] {
  const places = [...new Set(steps.map(({ at }) => at.node))].slice(1, -1)
  const dnat = steps.filter(({ set = {} }) => 'ip.dst' in set).length
  return [
    ...(places.length > 0 ? [`through ${places.join(', ')}`] : []),
    `${hops} L3 ${hops === 1 ? 'hop' : 'hops'}`,
    ...(dnat > 0 ? [`DNAT ${dnat}`] : []),
    ...(mtu === undefined ? [] : [`MTU ${mtu}`]),
  ]
}

function widthOf(names: readonly string[], { least, most }: { readonly least: number; readonly most: number }): number {
  return Math.min(most, Math.max(least, ...names.map(({ length }) => length)))
}

function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text
}

/** Lines of at most `width` columns; a word that is longer has a line of its own. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ').filter(Boolean)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

/** 16 bytes a line. */
function hexDump(hex: string): string[] {
  const lines: string[] = []
  for (let at = 0; at < hex.length; at += 32) {
    const bytes = hex.slice(at, at + 32).replace(/(..)/g, '$1 ')
    lines.push(`${(at / 2).toString(16).padStart(4, '0')}  ${bytes.trimEnd()}`)
  }
  return lines
}
