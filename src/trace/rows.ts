/**
 * A trace's steps as the rows that people read: what says nothing is left out, and what is one decision is one row. The
 * change of a TTL stands with the forwarding, a tunnel with the FDB entry that led into it, the state of a connection with the
 * next decision.
 */
import { formatWhere, type TraceDocument, type TraceStep, type Where } from './document.ts'

export interface Row {
  readonly at: Where
  readonly stage: string
  readonly decision: string
  /** What it did to the packet, and who made the object that decided. */
  readonly packet: string
  readonly dropped: boolean
  readonly step: TraceStep
}

/** Every step, with its words as they are. */
export function allRows({ steps }: TraceDocument): Row[] {
  return steps.map((step) => {
    const { stage, what = '', len, ref = '', set, meta = {} } = step
    const facts = Object.entries(meta).map(([name, value]) => `${name} ${value}`)
    const decision = stage === 'tap' ? `${what}, ${len} B` : what || ref
    return row(step, nameOf(step), decision, changesOf(set), ...facts)
  })
}

/** Captures of a kernel: every one of them, with what has changed since the one before. */
export function captureRows({ steps }: TraceDocument): Row[] {
  return steps.map((step) => {
    const { stage, what = '', len, set } = step
    if (stage !== 'tap')
      return row(step, stage, stage === 'route' ? shortRoute(what) : what, changesOf(set), makerOf(step))
    return row(step, nameOf(step), what, `${len} B`, changesOf(set))
  })
}

/** The decisions of the model. */
export function decisionRows({ steps, result }: TraceDocument): Row[] {
  const rows: Row[] = []
  const connections = new Map<string, string>()
  let waiting = ''
  let lastTap: TraceStep | undefined
  for (const [i, step] of steps.entries()) {
    const { stage, at, what = '', set, len } = step
    const [before, after] = [steps[i - 1], steps[i + 1]]
    const add = (name: string, decision: string, ...packet: string[]) => {
      rows.push(row(step, name, decision, ...packet, waiting))
      waiting = ''
    }
    if (isDrop(step)) {
      // The rule that drops is named where the packet ends.
      if (stage !== 'rule' || after === undefined) add(stage, what || step.reason || '')
      continue
    }
    switch (stage) {
      case 'hook':
        break
      case 'tap': {
        const from = lastTap
        lastTap = step
        if (what === 'in' && from?.at.node !== at.node && !endsHere(steps, i)) {
          add('tap', from ? `in from ${formatWhere(from.at)}` : 'in', `${len} B`)
        }
        break
      }
      case 'veth':
        if (after === undefined) add(stage, what)
        break
      case 'ct': {
        if (connections.get(at.node) !== what) waiting = `ct ${what}`
        connections.set(at.node, what)
        break
      }
      case 'rule':
        if (isTellingRule(step, after)) add(stage, `${step.verdict ?? what}: ${objectOf(step)}`)
        break
      case 'ttl':
        if (after?.stage === 'forward') waiting = joined(changesOf(set), waiting)
        else add(stage, what, changesOf(set))
        break
      case 'fdb':
        add(stage, what, after?.stage === 'encap' ? `into ${tunnelOf(after)}` : '', makerOf(step))
        break
      case 'encap':
        if (before?.stage !== 'fdb') add(stage, `into ${tunnelOf(step)}`, makerOf(step))
        break
      case 'decap':
        add(stage, `${what}, to ${at.dev}`, after?.len === undefined ? '' : `${after.len} B`)
        break
      case 'neigh':
        if (at.dev !== 'lo') add(stage, what, makerOf(step))
        break
      case 'route':
        if (!/^(local|broadcast) /.test(what)) add(stage, shortRoute(what), changesOf(set), makerOf(step))
        break
      case 'local':
        if (after === undefined) add('socket', result.socket ?? what, result.socket === undefined ? '' : 'DELIVERED')
        break
      default:
        add(stage, what, changesOf(set), makerOf(step))
    }
  }
  return rows
}

function row(step: TraceStep, stage: string, decision: string, ...packet: string[]): Row {
  return { at: step.at, stage, decision, packet: joined(...packet), dropped: isDrop(step), step }
}

const isDrop = ({ stage, verdict, reason }: TraceStep) => stage === 'drop' || verdict === 'drop' || reason !== undefined
const nameOf = ({ stage, what }: TraceStep) => (stage === 'tap' && what === 'out' ? 'wire' : stage)
const joined = (...parts: readonly string[]) => parts.filter((part) => part !== '').join(' · ')

/** Whether nothing is left to decide about the packet but who takes it. */
function endsHere(steps: readonly TraceStep[], tap: number): boolean {
  return steps.slice(tap + 1).every(({ stage, what = '' }) => {
    return stage === 'hook' || stage === 'local' || (stage === 'route' && what.startsWith('local '))
  })
}

/** Not one that was passed, a policy that accepts, or one whose NAT is told next. */
function isTellingRule(step: TraceStep, after: TraceStep | undefined): boolean {
  const { verdict, ref = '' } = step
  if (verdict === 'continue' || (verdict === 'accept' && ref.startsWith('chain '))) return false
  return !(after?.stage === 'nat' && after.ref === ref)
}

/** The object of a step's reference, without who made it. */
function objectOf({ ref = '' }: TraceStep): string {
  return ref.replace(/ \([^()]*\)$/, '')
}

/** `(flannel lease n2)`, or nothing. */
function makerOf({ ref = '' }: TraceStep): string {
  return / (\([^()]*\))$/.exec(ref)?.[1] ?? ''
}

function tunnelOf({ what = '', meta = {} }: TraceStep): string {
  const ports = meta.sourcePort === undefined ? '' : `, UDP ${meta.sourcePort} → ${meta.destinationPort}`
  return `${what.replace(/ to .*/, '')}${ports}`
}

/** What decides, of a route's words; its table where it is not the one that everybody looks at. */
function shortRoute(what: string): string {
  return what.replace(/ (?:proto|scope|src|table) \S+/g, '').replace(/ \(main\)$/, '')
}

const FIELDS: Readonly<Record<string, string>> = { 'ip.ttl': 'ttl', 'ip.src': 'src', 'ip.dst': 'dst' }

/** `ttl 64 → 63 · dst 10.96.0.10 → 10.244.1.2`. */
function changesOf(set: TraceStep['set'] = {}): string {
  const changes = Object.entries(set).map(([field, [before, after]]) => {
    if (field !== 'tunnel')
      return `${FIELDS[field] ?? field.replace(/^(?:tcp|udp)\.(.)\w+port$/, '$1port')} ${before} → ${after}`
    return after === 'none' ? 'out of the tunnel' : `into the tunnel ${after}`
  })
  return joined(...changes)
}
