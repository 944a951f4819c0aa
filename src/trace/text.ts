/**
 * A trace as people read it: a line for every decision, in the order of the packet's way, what it did to the packet at the
 * right, and how it ended below.
 *
 *   web-0 10.244.0.2:40000 → 10.96.0.10:80  TCP SYN 74 B             model linux-6.18 · seed 1
 *    node   dev       stage    decision                                        packet
 *    n1     veth1     nat      DNAT to 10.244.1.2:8080                         dst → 10.244.1.2:8080
 */

import { formatWhere, type TraceDocument, type TraceStep } from './document.ts'
import { styleText } from './style.ts'

export interface TextOptions {
  /** Every step, captures and rules that were passed too. */
  readonly verbose: boolean
  /** The frame at every tap, in hexadecimal. */
  readonly hex: boolean
  readonly colour: boolean
}

/** Columns of the text: node, device, stage, decision. */
const WIDTHS = { node: 6, device: 10, stage: 8, decision: 56 } as const

export function formatTrace(trace: TraceDocument, options: TextOptions): string {
  const paint = styleText(options.colour)
  const { input, engine } = trace
  const head = `${input.node} ${input.summary}  ${input.hex.length / 2} B`
  const source = [`${engine.kind}${engine.profile ? ` ${engine.profile}` : ''}`, engine.seed && `seed ${engine.seed}`]
  const lines = [
    `${paint('bold', head)}   ${paint('dim', source.filter(Boolean).join(' · '))}`,
    paint('dim', ` ${row('node', 'dev', 'stage', 'decision')} packet`),
    ...formatSteps(trace, options),
  ]
  for (const other of shownReplies(trace)) {
    lines.push('', paint('bold', `${label(other)}: ${other.input.node} ${other.input.summary}`))
    lines.push(...formatSteps(other, options))
  }
  lines.push('', formatResult(trace, paint))
  return lines.join('\n')
}

/** The answer, told in full only where it matters: where it is the one that is lost, or everything is asked for. */
function shownReplies({ result, traces = [] }: TraceDocument): readonly TraceDocument[] {
  if (result.disposition === 'delivered') return []
  return traces.filter((each) => each.result.disposition !== 'delivered' && isOf(each, result.reason))
}

const isOf = (trace: TraceDocument, reason: string | undefined) => trace.result.reason === reason
const label = ({ input }: TraceDocument) => (input.summary.startsWith('ICMP') ? 'answer' : 'reply')

function formatSteps({ steps, engine }: TraceDocument, { verbose, hex, colour }: TextOptions): string[] {
  const paint = styleText(colour)
  // Of the kernel there are only captures.
  const all = verbose || engine.kind === 'kernel'
  const lines: string[] = []
  let node = ''
  for (const [i, step] of steps.entries()) {
    if (!all && !isTelling(step, steps[i - 1], steps[i + 1])) continue
    const { at, stage, reason, verdict } = step
    const line = row(at.node === node ? '' : at.node, at.dev ?? '·', nameOf(step), decisionOf(step))
    const dropped = verdict === 'drop' || reason !== undefined || stage === 'drop'
    lines.push(` ${dropped ? paint('red', line) : line} ${changesOf(step)}`.trimEnd())
    if (hex && step.hex) lines.push(...hexDump(step.hex).map((text) => paint('dim', `        ${text}`)))
    node = at.node
  }
  return lines
}

/** Of captures only those at which the packet comes to a node, or leaves one: what happens between says where it is. */
function isTelling(step: TraceStep, before: TraceStep | undefined, after: TraceStep | undefined): boolean {
  if (step.stage === 'tap') {
    return step.what === 'in' ? before?.at.node !== step.at.node : after !== undefined && after.at.node !== step.at.node
  }
  return step.stage !== 'hook' && !(step.stage === 'rule' && step.verdict === 'continue')
}

function nameOf({ stage, what }: TraceStep): string {
  return stage === 'tap' ? (what === 'out' ? 'wire' : 'tap') : stage
}

function decisionOf({ stage, what = '', len, ref }: TraceStep): string {
  if (stage === 'tap') return `${what}, ${len} B`
  return what || ref || ''
}

/** `ttl 64 → 63 · ct NEW`. */
function changesOf({ set = {}, meta = {} }: TraceStep): string {
  const changes = Object.entries(set).map(([field, [before, after]]) => `${field} ${before} → ${after}`)
  const facts = Object.entries(meta).map(([name, value]) => `${name} ${value}`)
  return [...changes, ...facts].join(' · ')
}

function formatResult({ result, traces = [], steps }: TraceDocument, paint: ReturnType<typeof styleText>): string {
  const { disposition, reason, at, why, fix = [], hops = 0 } = result
  const place = at ? ` at ${formatWhere(at)}` : ''
  if (disposition === 'delivered') {
    const nodes = new Set(steps.map((step) => step.at.node)).size
    const both = result.reply === undefined ? '' : ' both ways'
    const facts = [`${nodes} ${nodes === 1 ? 'namespace' : 'namespaces'}`, `${hops} L3 ${hops === 1 ? 'hop' : 'hops'}`]
    const lines = [`${paint('green', `✔ DELIVERED${both}${place}`)} · ${facts.join(' · ')}`]
    if (why) lines.push(`  ${why}`)
    if (traces.length > 0) lines.push(paint('dim', `  ${traces.length} more packets came of it: --verbose, --json`))
    return lines.join('\n')
  }
  const lines = [paint('red', `✗ ${disposition.toUpperCase()}${place}${reason ? `: ${reason}` : ''}`)]
  if (why) lines.push(`  ${why}`)
  for (const command of fix) lines.push(`  fix: ${command}`)
  return lines.join('\n')
}

function row(node: string, device: string, stage: string, decision: string): string {
  return [
    node.padEnd(WIDTHS.node),
    device.padEnd(WIDTHS.device),
    stage.padEnd(WIDTHS.stage),
    decision.padEnd(WIDTHS.decision),
  ].join(' ')
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
