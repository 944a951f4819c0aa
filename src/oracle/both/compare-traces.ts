/**
 * One question, traced in the model and in the real kernel: the model's trace, with what the kernel's taps saw beside it, and
 * what differs beyond what two stacks choose each for itself (stack-choices.ts).
 */
import type { TraceDifference, TraceDocument, TraceResult, TraceStep } from '../../trace/document.ts'
import { formatWhere } from '../../trace/document.ts'
import { toHex } from '../../trace/hex.ts'
import { summarise } from '../../trace/summary.ts'
import { type FrameField, fieldsOf, formatField } from '../fields.ts'
import { packetsOf, type SeenStep, type TracedPacket } from './packets.ts'
import { StackChoices } from './stack-choices.ts'

/** A frame that both saw, or one of them. */
export interface SeenFrame {
  readonly model?: SeenStep
  readonly kernel?: SeenStep
  /** The kernel's, with what the model's stack has chosen. */
  readonly expected?: Uint8Array
  readonly differences: readonly Omit<TraceDifference, 'step'>[]
}

export interface ComparedPacket {
  readonly frames: readonly SeenFrame[]
  /** The taps are as many as should have been compared. */
  readonly isCompared: boolean
}

export interface ComparedTraces {
  readonly document: TraceDocument
  readonly kernel: TraceDocument
  readonly packets: readonly ComparedPacket[]
  /** What both say of how it ended, where that differs. */
  readonly ending: readonly Omit<TraceDifference, 'step'>[]
}

export function compareTraces(model: TraceDocument, kernel: TraceDocument): ComparedTraces {
  const packets = comparePackets(packetsOf(model), packetsOf(kernel))
  const ending = endingDifferences(model.result, kernel.result)
  const { profile, seed } = model.engine
  const engine = { kind: 'both', ...(profile && { profile }), ...(seed !== undefined && { seed }) } as const
  const annotated = annotate(model, packets)
  const last = Math.max(0, annotated.steps.length - 1)
  const missing = packets.flatMap(({ frames }) =>
    frames.every((frame) => !frame.model) ? frames.flatMap(({ differences }) => differences) : [],
  )
  const diff = [...(annotated.diff ?? []), ...[...missing, ...ending].map((each) => ({ step: last, ...each }))]
  const traces = model.traces?.map((trace) => ({ ...annotate(trace, packets), engine }))
  const document = { ...annotated, engine, ...(traces && { traces }), diff }
  return { document, kernel, packets, ending }
}

/** Whether there is anything that two stacks do not choose each for itself. */
export function isSame({ packets, ending }: ComparedTraces): boolean {
  return (
    ending.length === 0 && packets.every(({ frames }) => frames.every(({ differences }) => differences.length === 0))
  )
}

function comparePackets(ours: readonly TracedPacket[], theirs: readonly TracedPacket[]): ComparedPacket[] {
  const choices = new StackChoices()
  const left = [...theirs]
  const compared: ComparedPacket[] = []
  for (const packet of ours) {
    const i = left.findIndex(({ key }) => key === packet.key)
    if (i >= 0) {
      const [counterpart] = left.splice(i, 1) as [TracedPacket]
      compared.push({ isCompared: true, frames: compareFrames(packet.seen, counterpart.seen, choices) })
    } else if (packet.isTelling) compared.push(alone(packet.seen.map((model) => ({ model }))))
  }
  for (const { seen, isTelling } of left) if (isTelling) compared.push(alone(seen.map((kernel) => ({ kernel }))))
  return compared
}

function alone(seen: readonly Pick<SeenFrame, 'model' | 'kernel'>[]): ComparedPacket {
  const frames = seen.map((frame, i) => ({ ...frame, differences: i === 0 ? [packetDifference(frame)] : [] }))
  return { isCompared: false, frames }
}

function packetDifference({ model, kernel }: Pick<SeenFrame, 'model' | 'kernel'>): Omit<TraceDifference, 'step'> {
  const told = (seen: SeenStep | undefined) =>
    seen ? `${summarise(seen.frame, seen.network)}, first at ${formatWhere(seen.step.at)}` : null
  return { field: 'packet', model: told(model), kernel: told(kernel) }
}

/** Tap by tap, in the order of the model's; what only the kernel's taps saw stands where it came. */
function compareFrames(ours: readonly SeenStep[], theirs: readonly SeenStep[], choices: StackChoices): SeenFrame[] {
  const left = [...theirs]
  const frames: SeenFrame[] = []
  for (const model of ours) {
    const i = left.findIndex((kernel) => tapOf(kernel) === tapOf(model))
    if (i < 0) {
      frames.push({ model, differences: [{ field: 'frame', model: toHex(model.frame), kernel: null }] })
      continue
    }
    const only = left.splice(0, i + 1)
    const kernel = only.pop()!
    frames.push(...only.filter((seen) => !ours.some((own) => tapOf(own) === tapOf(seen))).map(unexpected))
    left.unshift(...only.filter((seen) => ours.some((own) => tapOf(own) === tapOf(seen))))
    const expected = choices.translated(kernel.frame, model.frame)
    frames.push({ model, kernel, expected, differences: fieldDifferences(expected, model.frame) })
  }
  return [...frames, ...left.map(unexpected)]
}

const tapOf = ({ node, device, direction }: SeenStep) => `${node} ${device} ${direction}`

const unexpected = (kernel: SeenStep): SeenFrame => ({
  kernel,
  differences: [{ field: 'frame', model: null, kernel: toHex(kernel.frame) }],
})

function fieldDifferences(kernel: Uint8Array, model: Uint8Array): Omit<TraceDifference, 'step'>[] {
  if (kernel.length !== model.length) return [{ field: 'length', model: model.length, kernel: kernel.length }]
  const differing = fieldsOf(kernel).filter(({ at, size }) => {
    for (let i = at; i < at + size; i++) if (kernel[i] !== model[i]) return true
    return false
  })
  const told = (field: FrameField, bytes: Uint8Array) => formatField(field, bytes)
  return innermost(differing).map((field) => ({
    field: field.name,
    model: told(field, model),
    kernel: told(field, kernel),
  }))
}

/** A checksum that covers another field which differs says nothing of its own. */
function innermost(fields: readonly FrameField[]): readonly FrameField[] {
  const own = fields.filter(({ name }) => !name.endsWith('.checksum'))
  return own.length > 0 ? own : fields
}

const RESULT_FIELDS = ['disposition', 'reason', 'at', 'hops', 'mtu'] as const

function endingDifferences(model: TraceResult, kernel: TraceResult): Omit<TraceDifference, 'step'>[] {
  return RESULT_FIELDS.flatMap((field) => {
    // The model counts hops of what was lost, too.
    if (field === 'hops' && (model.disposition !== 'delivered' || kernel.disposition !== 'delivered')) return []
    const [ours, theirs] = [model[field] ?? null, kernel[field] ?? null]
    return JSON.stringify(ours) === JSON.stringify(theirs)
      ? []
      : [{ field: `result.${field}`, model: ours, kernel: theirs }]
  })
}

/** The trace's steps, with the kernel's frames beside them, and what differs there. */
function annotate(document: TraceDocument, packets: readonly ComparedPacket[]): TraceDocument {
  const frames = packets.flatMap((packet) => framesOf(packet, document.id))
  const diff: TraceDifference[] = []
  const steps: TraceStep[] = []
  const push = (step: TraceStep, differences: SeenFrame['differences']) => {
    const n = steps.length
    steps.push({ ...step, n })
    diff.push(...differences.map((each) => ({ step: n, ...each })))
  }
  for (const step of document.steps) {
    const i = frames.findIndex(({ model }) => model?.step === step)
    if (i < 0) {
      push(step, [])
      continue
    }
    for (const { kernel, differences } of frames.splice(0, i))
      push({ ...kernel!.step, meta: { engine: 'kernel' } }, differences)
    const [{ kernel, differences }] = frames.splice(0, 1) as [SeenFrame]
    const beside = kernel && { t: kernel.step.t, len: kernel.frame.length, hex: kernel.step.hex }
    push(beside ? { ...step, meta: { ...step.meta, kernel: beside } } : step, differences)
  }
  for (const { kernel, differences } of frames) push({ ...kernel!.step, meta: { engine: 'kernel' } }, differences)
  return { ...document, steps, ...(diff.length > 0 && { diff }) }
}

/** Those of the packet that this trace tells of; the kernel's own with those before them. */
function framesOf({ frames }: ComparedPacket, trace: string): SeenFrame[] {
  let current = frames.find(({ model }) => model)?.model?.trace
  return frames.filter(({ model }) => {
    current = model?.trace ?? current
    return current === trace
  })
}
