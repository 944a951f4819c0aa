/**
 * Model and kernel side by side, as people read them: the model's decisions, and at every tap whether the kernel's frame is
 * the same.
 *
 *      node   dev        stage    model                              kernel
 *      n1     cni0       forward  to flannel.1                       ·
 *   ≠         flannel.1  wire     out, 98 B                          ipv4.ttl 62, model 63
 *
 * Where there is no room for two columns, what the kernel says stands below.
 */
import { formatWhere, type TraceDifference, type TraceDocument, type TraceStep } from '../../trace/document.ts'
import { decisionRows, type Row } from '../../trace/rows.ts'
import { styleText } from '../../trace/style.ts'
import { summarise } from '../../trace/summary.ts'
import { dump, dumpBoth } from '../difference.ts'
import { type ComparedPacket, type ComparedTraces, isSame, type SeenFrame } from './compare-traces.ts'

export interface BothOptions {
  /** Of the terminal. */
  readonly columns: number
  /** All packets, and all taps with nothing cut off. */
  readonly verbose: boolean
  readonly colour: boolean
}

type Paint = ReturnType<typeof styleText>

/** Columns that the two need beside each other. */
export const BESIDE = 110
const STAGE = 8
const LEAST = { node: 6, device: 9, kernel: 28 } as const
const MOST = { node: 16, device: 15 } as const

interface Line {
  readonly step: TraceStep
  readonly stage: string
  readonly decision: string
  readonly kernel: string
  readonly differs: boolean
}

export function formatBoth(compared: ComparedTraces, options: BothOptions): string {
  const paint = styleText(options.colour)
  const { document, packets } = compared
  const { input, engine } = document
  const source = ['model', engine.profile, engine.seed === undefined ? '' : `· seed ${engine.seed}`, '│ kernel']
  const size = input.hex === '' ? '' : `  ${input.hex.length / 2} B`
  const head = `${input.node} ${input.summary}${size}`
  const told = source.filter(Boolean).join(' ')
  const fits = head.length + 3 + told.length <= options.columns
  const lines = fits
    ? [`${paint('bold', head)}   ${paint('dim', told)}`]
    : [paint('bold', head), paint('dim', `  ${told}`)]
  lines.push(...table(linesOf(document), options, paint))
  for (const trace of document.traces ?? []) {
    if (!options.verbose && (trace.diff ?? []).length === 0 && trace.id !== document.result.reply) continue
    const told = linesOf(trace)
    if (told.length > 0)
      lines.push('', paint('bold', `${trace.input.node} ${trace.input.summary}`), ...table(told, options, paint))
  }
  const difference = firstDifference(packets)
  if (difference) lines.push('', ...difference.map((line, i) => (i === 0 ? paint('red', line) : line)))
  lines.push('', ...endingLines(compared, paint), verdictLine(compared, paint))
  return lines.join('\n')
}

/** The model's decisions, and all taps: where one begins to differ, the others say how it came there. */
function linesOf({ steps, diff = [], ...document }: TraceDocument): Line[] {
  const rows = new Map(
    decisionRows({ ...document, steps: steps.filter((step) => !isKernels(step)) }).map((row) => [row.step.n, row]),
  )
  return steps.flatMap((step): Line[] => {
    const differences = diff.filter(
      (each) => each.step === step.n && !each.field.startsWith('result.') && each.field !== 'packet',
    )
    if (step.stage === 'tap') return [tapLine(step, differences)]
    const row = rows.get(step.n)
    return row ? [decisionLine(row)] : []
  })
}

const isKernels = ({ meta }: TraceStep) => meta?.engine === 'kernel'

function decisionLine({ step, stage, decision, packet }: Row): Line {
  return { step, stage, decision: packet === '' ? decision : `${decision} · ${packet}`, kernel: '', differs: false }
}

function tapLine(step: TraceStep, differences: readonly TraceDifference[]): Line {
  const { what, len, meta } = step
  const own = isKernels(step) ? '' : `${what}, ${len} B`
  return {
    step,
    stage: what === 'out' ? 'wire' : 'tap',
    decision: own,
    kernel: kernelSays(step, differences, meta?.kernel !== undefined),
    differs: differences.length > 0,
  }
}

function kernelSays({ what, len }: TraceStep, differences: readonly TraceDifference[], isBeside: boolean): string {
  if (differences.some(({ field, model }) => field === 'frame' && model === null)) return `${what}, ${len} B`
  if (differences.some(({ field }) => field === 'frame')) return 'not seen'
  if (differences.length > 0)
    return differences.map((each) => `${each.field} ${each.kernel}, model ${each.model}`).join(' · ')
  return isBeside ? '=' : 'not compared'
}

function table(lines: readonly Line[], { columns, verbose }: BothOptions, paint: Paint): string[] {
  const node = widthOf(
    lines.map(({ step }) => step.at.node),
    LEAST.node,
    MOST.node,
  )
  const device = widthOf(
    lines.map(({ step }) => step.at.dev ?? ''),
    LEAST.device,
    MOST.device,
  )
  const left = node + device + STAGE + 5
  const isBeside = columns >= BESIDE
  const width = isBeside ? BESIDE : Math.max(columns, left + LEAST.kernel)
  const room = width - left
  const model = isBeside ? Math.floor(room * 0.55) : room
  const cell = (text: string, size: number) => (verbose ? text : cut(text, size)).padEnd(size)
  const columnsOf = (place: string, link: string, stage: string) =>
    `${cut(place, node).padEnd(node)} ${cut(link, device).padEnd(device)} ${stage.padEnd(STAGE)}`
  const head = `  ${columnsOf('node', 'dev', 'stage')} ${isBeside ? `${'model'.padEnd(model)} kernel` : 'model'}`
  const text = [paint('dim', head)]
  let last = ''
  for (const { step, stage, decision, kernel, differs } of lines) {
    const mark = differs ? '≠' : ' '
    const { node: place, dev = '·' } = step.at
    const start = `${mark} ${columnsOf(place === last ? '' : place, dev, stage)}`
    last = place
    const theirs = verbose ? kernel : cut(kernel, room - model - 1)
    const own = isBeside ? `${start} ${cell(decision, model)} ${theirs}` : `${start} ${cell(decision, model)}`
    text.push(differs ? paint('red', own.trimEnd()) : own.trimEnd())
    if (!isBeside && differs) text.push(paint('red', `  ${columnsOf('', '', 'kernel')} ${kernel}`))
  }
  return text
}

/** In words, and both frames in hexadecimal. */
function firstDifference(packets: readonly ComparedPacket[]): string[] | undefined {
  for (const { frames } of packets) {
    for (const frame of frames) {
      const [difference] = frame.differences
      if (difference) return ['≠ first difference', `  ${describe(frame, difference)}`, ...dumps(frame)]
    }
  }
  return undefined
}

function describe({ model, kernel }: SeenFrame, { field, ...values }: Omit<TraceDifference, 'step'>): string {
  const { step, frame, network } = (model ?? kernel)!
  const where = `${formatWhere(step.at)} ${step.what}`
  if (field === 'packet') {
    const [one, other] = model ? ['model', 'kernel'] : ['kernel', 'model']
    return `a packet of the ${one}'s that the ${other} has not: ${summarise(frame, network)}, first at ${where}`
  }
  if (field === 'frame') return `${where}: ${model ? 'not seen by the kernel' : 'seen by the kernel, not in the model'}`
  return `${where}: ${field} is ${values.model} in the model, ${values.kernel} in the kernel`
}

function dumps({ model, kernel, expected }: SeenFrame): string[] {
  if (model && expected) return aroundMarks(dumpBoth(expected, model.frame, ['kernel', 'model']).split('\n'))
  return aroundMarks(dump((model ?? kernel)!.frame).split('\n'))
}

/** Lines of a dump that are shown whole. */
const SHORT = 14

/** Of a long dump the beginning, and what differs with a line around it. */
function aroundMarks(lines: readonly string[]): string[] {
  if (lines.length <= SHORT) return [...lines]
  const isNear = (i: number) => i < 5 || lines.slice(i - 1, i + 2).some((line) => /^ {2}[-+]/.test(line))
  return lines.flatMap((line, i) => (isNear(i) ? [line] : isNear(i - 1) ? ['    …'] : []))
}

function endingLines({ document, kernel, ending }: ComparedTraces, paint: Paint): string[] {
  const told = ({ result }: TraceDocument) => {
    const { disposition, reason, at } = result
    return `${disposition.toUpperCase()}${at ? ` at ${formatWhere(at)}` : ''}${reason === undefined ? '' : `: ${reason}`}`
  }
  const both = ending.length === 0
  const sign = document.result.disposition === 'delivered' ? '✔' : '✗'
  if (both) return [`${sign} ${told(document)}, in the model and in the kernel`]
  const fields = ending.map(
    ({ field, ...values }) =>
      `${field.replace('result.', '')}: ${JSON.stringify(values.model)} in the model, ${JSON.stringify(values.kernel)} in the kernel`,
  )
  return [
    `  model   ${told(document)}`,
    `  kernel  ${told(kernel)}`,
    ...fields.map((line) => paint('red', `≠ ${line}`)),
  ]
}

/** `= 18 frames of 2 packets are the same`. */
function verdictLine(compared: ComparedTraces, paint: Paint): string {
  const { packets } = compared
  const frames = packets.flatMap((packet) => packet.frames)
  const counted = `${count(frames.filter(({ model, kernel }) => model && kernel).length, 'frame')} of ${count(packets.filter(({ isCompared }) => isCompared).length, 'packet')}`
  if (isSame(compared)) return paint('green', `= ${counted} compared: the same`)
  const differing = frames.filter(({ differences }) => differences.length > 0).length
  return paint('red', `≠ ${counted} compared: ${differing} differ`)
}

const count = (number: number, thing: string) => `${number} ${thing}${number === 1 ? '' : 's'}`

const widthOf = (names: readonly string[], least: number, most: number) =>
  Math.min(most, Math.max(least, ...names.map(({ length }) => length)))

const cut = (text: string, width: number) => (text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text)
