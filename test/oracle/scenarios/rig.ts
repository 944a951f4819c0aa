/** The goldens' rig (test/golden/README.md), and scenarios that stand on it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readTopologyFile } from '../../../src/lab/topology-file.ts'
import { scenarioOf } from '../../../src/oracle/answer.ts'
import type { FixedScenario } from '../../../src/oracle/fixed.ts'
import type { Frame, Question } from '../../../src/oracle/question.ts'
import type { Scenario, ScenarioStep } from '../../../src/oracle/scenario.ts'
import type { Row, Walk } from '../../../src/oracle/walk.ts'
import type { Way } from './frames.ts'

const goldens = join(import.meta.dirname, '../../golden')

/** Milliseconds that are watched behind the last frame of a golden. */
const TAIL = 200

export type Golden = Question & Walk & { readonly title: string; readonly inject: readonly Frame[] }

export function readGolden(id: string): Golden {
  return JSON.parse(readFileSync(join(goldens, `${id}.json`), 'utf8'))
}

export const goldenIds: readonly string[] = readdirSync(goldens)
  .filter((name) => /^S\d\d\.json$/.test(name))
  .map((name) => name.slice(0, -'.json'.length))
  .sort()

/** The frames that pods sent are given where the golden has an application. */
export function goldenScenario(id: string): FixedScenario {
  const golden = readGolden(id)
  const { title, rig, inject, obs } = golden
  const given = inject.length > 0 ? inject : obs.filter(isFromPod).map(frameOf)
  const silent = inject.length > 0 ? [] : [...new Set(given.map(({ ns }) => ns))]
  const scenario = scenarioOf(golden, topologyOf(rig), given)
  return { title, scenario: { ...scenario, silent }, tail: (obs.at(-1)?.t ?? 0) - (given.at(-1)?.t ?? 0) + TAIL }
}

const isFromPod = ({ at, dir }: Row) => dir === 'out' && /^p\d+:eth0$/.test(at)

function frameOf({ at, t, hex }: Row): Frame {
  const [ns, dev] = at.split(':') as [string, string]
  return { ns, dev, t, hex }
}

const topologyOf = (file: string) => readTopologyFile(join(goldens, file)).topology

export interface RigOptions {
  readonly rig?: string
  readonly tail?: number
  readonly tolerance?: number
  readonly silent?: readonly string[]
  /** ARP of these is shown. */
  readonly show?: readonly string[]
}

/** Everything is watched, and all know their neighbours. */
export function onRig(
  id: string,
  title: string,
  steps: readonly ScenarioStep[],
  { rig = 'T2.ovl.yml', ...options }: RigOptions = {},
): FixedScenario {
  const { warm, watch } = readGolden('S02')
  const { silent = [], show = [], ...rest } = options
  const scenario: Scenario = { id, topology: topologyOf(rig), warm, steps, watch, show, silent }
  return { title, scenario, ...rest }
}

export const macs = {
  p1: '02:00:0a:f4:00:02',
  p2: '02:00:0a:f4:00:03',
  p3: '02:00:0a:f4:01:02',
  n1: '02:00:00:00:01:01',
  n2: '02:00:00:00:02:01',
  bridge1: '02:0b:00:00:01:00',
  bridge2: '02:0b:00:00:02:00',
} as const

/** From a pod to whom its gateway knows. */
export const ways = {
  p1: { from: macs.p1, to: macs.bridge1, source: '10.244.0.2' },
  p2: { from: macs.p2, to: macs.bridge1, source: '10.244.0.3' },
  p3: { from: macs.p3, to: macs.bridge2, source: '10.244.1.2' },
} as const satisfies Readonly<Record<string, Omit<Way, 'destination'>>>

export const from = (ns: string, hex: string, dev = 'eth0'): ScenarioStep => ({ ns, dev, hex })
export const run = (ns: string, line: string): ScenarioStep => ({ ns, run: line })
