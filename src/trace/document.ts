/** What a trace says, as JSON: schema/trace.schema.json. Both engines make it, every way of showing it reads it. */
import type { FieldChanges, Stage, Verdict } from '../model/observer.ts'

export interface Where {
  readonly node: string
  readonly dev?: string
}

export interface TraceStep {
  readonly n: number
  /** Milliseconds since the trace began. */
  readonly t: number
  readonly at: Where
  readonly stage: Stage
  readonly what?: string
  /** Function or hook of Linux. */
  readonly kernel?: string
  /** The object that decided, and who made it. */
  readonly ref?: string
  readonly verdict?: Verdict
  readonly reason?: string
  readonly len?: number
  /** The frame as a capture has it; at taps. */
  readonly hex?: string
  readonly set?: FieldChanges
  readonly meta?: Readonly<Record<string, unknown>>
}

export type Disposition = 'delivered' | 'dropped' | 'replied' | 'left-lab' | 'loop' | 'queued' | 'unsupported'

export interface TraceResult {
  readonly disposition: Disposition
  /** SKB_DROP_REASON_* without its prefix, or OVL_* where the kernel names none. */
  readonly reason?: string
  /** Function of Linux that dropped it. */
  readonly kernel?: string
  readonly at?: Where
  readonly socket?: string
  /** Cause, object and value, in one or two sentences. */
  readonly why?: string
  /** Commands that mend it, to be run where `at` says; one for another place begins with `overlab lab exec --name`. */
  readonly fix?: readonly string[]
  /** Routers passed. */
  readonly hops?: number
  /** Bytes that a packet of this path may have, tunnels counted. */
  readonly mtu?: number
  /** Id of the trace of the answer. */
  readonly reply?: string
  /** Ids of the traces that this packet caused. */
  readonly spawned?: readonly string[]
}

/** What the model and the kernel say of one thing, where that differs. */
export interface TraceDifference {
  /** The step at which it is seen. */
  readonly step: number
  /** `ipv4.ttl`, `result.reason`; `frame` and `packet` where one of them has none. */
  readonly field: string
  readonly model: unknown
  readonly kernel: unknown
}

export interface TraceDocument {
  readonly v: 1
  readonly id: string
  readonly engine: {
    readonly kind: 'model' | 'kernel' | 'both'
    readonly profile?: string
    readonly version?: string
    readonly seed?: number
  }
  readonly input: {
    readonly node: string
    readonly dev: string
    readonly dir: 'in' | 'out'
    readonly hex: string
    readonly summary: string
  }
  readonly steps: readonly TraceStep[]
  readonly result: TraceResult
  /** What this packet caused, and what came back. */
  readonly traces?: readonly TraceDocument[]
  /** Engine `both`: nothing in it where the two say the same. */
  readonly diff?: readonly TraceDifference[]
}

/** `n1/flannel.1`, as people read a place. */
export function formatWhere({ node, dev }: Where): string {
  return dev === undefined ? node : `${node}/${dev}`
}
