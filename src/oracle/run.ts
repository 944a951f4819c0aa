/**
 * Runs a scenario on a machine: the model's, where time is virtual and every frame is followed, or Linux', where namespaces
 * of its own are made for it and taken away.
 *
 *   topology ── warm-up ── commands ── captures begin ── frames, waits, commands ── tail ── what was seen
 */
import { isErrno, KernelError } from '../kernel/errors.ts'
import type { LiveKernel } from '../kernel/live.ts'
import type { Machine } from '../lab/machine.ts'
import { ModelKernel } from '../model/create.ts'
import type { Journey } from '../model/observer.ts'
import { endingOf, type FrameEnding } from './ending.ts'
import { type Moments, Pace } from './pace.ts'
import { type MetRules, RuleWatch } from './rules.ts'
import type { Injection, Scenario, ScenarioStep } from './scenario.ts'
import { buildStand, type Stand } from './stand.ts'
import { dumpState, type StateDump } from './state.ts'
import { type Recording, record, type Walk } from './walk.ts'

export interface Observation {
  readonly walk: Walk
  /** The frames that were sent, in this order: hexadecimal. */
  readonly given: readonly string[]
  /** Nanoseconds since the epoch: when the walk's first frame was seen. */
  readonly start: bigint
  /** With `state`: what stood in the tables when it was over. */
  readonly state?: StateDump
  /** With `rules`: those that packets met, in namespaces that had any when the first frame was sent. */
  readonly rules?: readonly MetRules[]
  /** What became of each of them. Of the model. */
  readonly endings: readonly FrameEnding[]
  /** With `lenient`: what was refused, after the step's number: `3: EMSGSIZE`. */
  readonly refusals: readonly string[]
  /** When each step was taken, and what came behind them. */
  readonly moments: Moments
}

export interface RunOptions {
  /** Milliseconds, virtual or real, in which is watched after the last step. */
  readonly tail?: number
  /** What a command or the kernel refuses is no error, but part of what is observed. */
  readonly lenient?: boolean
  /** The tables are listed when it is over. */
  readonly state?: boolean
  /** What rules packets meet is watched. In the model, packets of all kinds are followed then. */
  readonly rules?: boolean
  /** Called when everything stands and captures have begun. */
  readonly onWatching?: () => void
  /** Called before it is taken away. */
  readonly onEnd?: (stand: Stand) => void | Promise<void>
  /** Frames are copied as they pass: CaptureOptions. Golden walks were recorded without that. */
  readonly copied?: boolean
  /** Those of another run of this scenario with these options, which are kept to. */
  readonly moments?: Moments
  /** Milliseconds before each step, real ones only, in which Linux ends what the step before has begun. */
  readonly breath?: number
}

/** What is sent is seen at once; a busy machine may take a moment to say so. Milliseconds without a new frame. */
const QUIET = 10

/** RangeError when the topology cannot be built, or a command fails. */
export async function runScenario(
  scenario: Scenario,
  machine: Machine,
  {
    tail = 0,
    lenient = false,
    copied = false,
    state = false,
    rules = false,
    onWatching,
    onEnd,
    moments,
    breath,
  }: RunOptions = {},
): Promise<Observation> {
  const { id, topology, steps, show, silent = [] } = scenario
  const refusals: string[] = []
  const endings: FrameEnding[] = []
  const pace = new Pace(machine, moments)
  const {
    rows: walked,
    start,
    dump,
    met,
  } = await whileWatched(scenario, machine, { lenient, copied, refusals }, async (stand, recording) => {
    const names = Object.keys(topology.topology.nodes)
    const watch = rules
      ? new RuleWatch(
          names.filter((name) => !silent.includes(name)),
          steps,
          stand,
        )
      : undefined
    try {
      onWatching?.()
      const journeys: Journey[] = []
      const follow = (journey: Journey) => watch?.addJourney(journey)
      followAll(stand, watch && follow)
      const first = beginning(steps)
      const watched = steps.slice(first)
      for (const [i, step] of watched.entries()) {
        await pace.reach({ at: 'hex' in step ? step.at : undefined, breath })
        watch?.beginStep(first + i)
        const refusal = await refusalOf(() => take(step, stand, journeys, follow), lenient)
        if (refusal !== undefined) refusals.push(`${first + i}: ${refusal}`)
        followAll(stand, watch && follow)
      }
      await settle(recording, machine, tail)
      await pace.reach()
      endings.push(...journeys.map(endingOf))
      const rows = recording.rows(show)
      await onEnd?.(stand)
      const met = watch?.end()
      const dump = state ? await dumpState(names, stand, pace) : undefined
      return { rows, start: recording.start, dump, met }
    } finally {
      watch?.close()
    }
  })
  const given = steps.flatMap((step) => ('hex' in step ? [step.hex] : []))
  return {
    walk: { id, obs: walked },
    given,
    start,
    ...(dump && { state: dump }),
    ...(met && { rules: met }),
    endings,
    refusals,
    moments: pace.moments,
  }
}

/** Builds what the scenario stands on, up to where captures begin, and takes it away when `body` has ended. */
export async function whileWatched<T>(
  { topology, warm, steps, watch, silent = [] }: Scenario,
  machine: Machine,
  { lenient = false, copied = false, refusals = [] }: RunOptions & { readonly refusals?: string[] },
  body: (stand: Stand, recording: Recording) => Promise<T>,
): Promise<T> {
  const stand = await buildStand(topology, machine)
  try {
    for (const [from, address] of warm) await warmUp(stand.kernelOf(from), address)
    const commands = steps.slice(0, beginning(steps))
    for (const [i, step] of commands.entries()) {
      const refusal = await refusalOf(() => take(step, stand, [], () => {}), lenient)
      if (refusal !== undefined) refusals.push(`${i}: ${refusal}`)
    }
    if (commands.length > 0) stand.withoutOffloads()
    for (const name of silent) silence(stand.kernelOf(name))
    const recording = record(watch, stand.kernelOf, copied)
    try {
      return await body(stand, recording)
    } finally {
      recording.close()
    }
  } finally {
    stand.close()
  }
}

/**
 * Linux makes an IPv6 address a namespace's own a moment after it was set; who asks for it before is not answered, and what
 * waits for the answer would be sent when the scenario has begun.
 */
async function warmUp(kernel: LiveKernel, address: string): Promise<void> {
  const { outcome } = await kernel.ping(address)
  if (outcome !== 'reply' && address.includes(':')) await kernel.ping(address)
}

/** Lets what is on its way arrive. */
export async function settle(recording: Recording, machine: Machine, tail: number): Promise<void> {
  await machine.until(() => false, tail)
  for (let count = -1; count !== recording.count; ) {
    count = recording.count
    await machine.until(() => false, QUIET)
  }
}

/** The first step that is no command. */
function beginning(steps: readonly ScenarioStep[]): number {
  const first = steps.findIndex((step) => !('run' in step))
  return first < 0 ? steps.length : first
}

/** A frame that its own device drops at once is sent, though Linux tells the sender (ENOBUFS). */
async function refusalOf(act: () => Promise<void>, lenient: boolean): Promise<string | undefined> {
  try {
    await act()
  } catch (error) {
    if (isErrno(error, 'ENOBUFS')) return undefined
    if (!lenient) throw error
    if (error instanceof KernelError) return error.errno
    if (error instanceof RangeError) return error.message
    throw error
  }
  return undefined
}

async function take(
  step: ScenarioStep,
  stand: Stand,
  journeys: Journey[],
  follow: (journey: Journey) => void,
): Promise<void> {
  if ('run' in step) {
    await stand.run(step.ns, step.run)
    if (/\blink add\b/.test(step.run)) stand.withoutOffloads()
  } else if ('wait' in step) await stand.machine.until(() => false, step.wait)
  else send(step, stand, journeys, follow)
}

/** In the model the frame is followed. */
function send(
  { ns, dev, hex }: Injection,
  stand: Stand,
  journeys: Journey[],
  follow: (journey: Journey) => void,
): void {
  followAll(stand, (journey) => {
    journeys.push(journey)
    follow(journey)
  })
  try {
    stand.kernelOf(ns).packets.send(dev, Buffer.from(hex, 'hex'))
  } finally {
    followAll(stand, undefined)
  }
}

/** In the model: each packet that sets out from now on. */
function followAll({ machine: { kernel } }: Stand, onJourney: ((journey: Journey) => void) | undefined): void {
  if (kernel instanceof ModelKernel) kernel.model.onJourney = onJourney
}

/** Whatever comes is seen at the taps, and goes no further. */
function silence({ nftables }: LiveKernel): void {
  const table = { family: 'inet', name: 'silence' } as const
  const base = { type: 'filter', hook: 'prerouting', priority: -1000, policy: 'drop' } as const
  nftables.commit([
    { operation: 'add table', table },
    { operation: 'add chain', chain: { family: table.family, table: table.name, name: 'prerouting', base } },
  ])
}
