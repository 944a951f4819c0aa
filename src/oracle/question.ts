/**
 * A golden scenario without its answers, as `test/golden/compare --questions` writes it: what stands before, what is changed,
 * what is sent, where to look. Field by field: test/golden/README.md.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Question {
  readonly id: string
  /** File name of the topology, in the same folder. */
  readonly rig: string
  readonly profile?: { readonly kernel?: string }
  /** Who pings whom before anything else: a namespace and an address. */
  readonly warm: readonly (readonly [string, string])[]
  readonly change: readonly { readonly ns: string; readonly run: string }[]
  readonly app?: ApplicationSpec | null
  readonly inject?: readonly Frame[]
  /** Frames that the pods of an application sent when it was recorded. */
  readonly given?: readonly Frame[]
  /** `namespace:device`. */
  readonly watch: readonly string[]
  /** ARP and ND are shown whose target or sender begins so. */
  readonly show?: readonly string[]
}

export interface Frame {
  readonly ns: string
  readonly dev: string
  /** Milliseconds since the first. */
  readonly t: number
  readonly hex: string
}

export interface ApplicationSpec {
  /** `to` is `address:port`, `[address]:port` for IPv6. */
  readonly client: {
    readonly ns: string
    readonly to: string
    readonly sends: number
    readonly timeout_s: number
    readonly proto?: string
  }
  readonly server: {
    readonly ns: string
    readonly port: number
    readonly reads: number
    readonly answers: number
    readonly closes?: string
  }
}

/** A UDP flow of ecmp.json. */
export interface Flow {
  readonly src: string
  readonly dst: string
  readonly proto: number
  readonly sport: number
  readonly dport: number
  readonly seed: number
  readonly policy: number
  readonly w: readonly number[]
}

/** The scenarios in the folder, by their id. RangeError when there is none. */
export function readQuestions(directory: string): Question[] {
  const files = readdirSync(directory).filter((name) => /^[A-Z]\d+\.json$/.test(name))
  if (files.length === 0)
    throw new RangeError(`Cannot find a question in "${directory}": no file is called S01.json or so`)
  return files.sort().map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')))
}

/** Undefined when the folder has no flows. */
export function readFlows(directory: string): Flow[] | undefined {
  if (!readdirSync(directory).includes('ecmp.json')) return undefined
  return JSON.parse(readFileSync(join(directory, 'ecmp.json'), 'utf8'))
}
