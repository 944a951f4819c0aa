/** A speaker's figures for Prometheus: read when they are asked for. */
import { memoryUsage } from 'node:process'
import { Counter, Gauge, Registry } from 'prom-client'
import { type Controlled, conditionOf } from '../../bgp/control/answer.ts'
import { FAMILIES } from '../../bgp/family.ts'
import { STATES } from '../../bgp/fsm.ts'
import type { NeighbourStatus } from '../../bgp/neighbour.ts'
import type { Figures } from '../daemon/health.ts'

export interface Metrics extends Figures {
  /** A session may be in another state: flaps are counted, and when its last error came. */
  noticed(): void
}

interface Seen {
  readonly establishedAt: number | undefined
  readonly lastError: string | undefined
  readonly errorAt: number | undefined
  readonly flaps: number
}

const SECOND = 1000

/** `clock` in milliseconds since the epoch. */
export function createMetrics(controlled: Controlled, clock: () => number): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const { speaker } = controlled
  const seen = new Map<string, Seen>()
  const neighbours = () => speaker.neighbours()

  type Tell = (labels: Readonly<Record<string, string>>, value: number) => void
  const gauge = (name: string, help: string, labelNames: readonly string[], collect: (tell: Tell) => void) =>
    new Gauge({
      name: `overlab_bgp_${name}`,
      help,
      labelNames,
      registers,
      collect() {
        this.reset()
        collect((labels, value) => this.set(labels, value))
      },
    })
  const counter = (name: string, help: string, labelNames: readonly string[], collect: (tell: Tell) => void) =>
    new Counter({
      name: `overlab_bgp_${name}_total`,
      help,
      labelNames,
      registers,
      collect() {
        this.reset()
        collect((labels, value) => this.inc(labels, value))
      },
    })
  const ofNeighbours = (tell: (neighbour: string, status: NeighbourStatus) => void) => {
    for (const status of neighbours()) tell(status.settings.session.address, status)
  }

  gauge('build_info', 'Version of overlab', ['version'], (tell) => tell({ version: controlled.version }, 1))
  gauge('ready', 'Whether all sessions are established that should be', [], (tell) =>
    tell({}, Number(conditionOf(speaker).isReady)),
  )
  gauge('sessions', 'Sessions by their state: RFC 4271 §8.2.2', ['state'], (tell) => {
    const all = neighbours()
    for (const state of STATES) tell({ state }, all.filter((each) => each.state === state).length)
  })
  gauge('session_up', 'Whether the session is established', ['neighbor'], (tell) =>
    ofNeighbours((neighbor, { state }) => tell({ neighbor }, Number(state === 'Established'))),
  )
  gauge('session_established_timestamp_seconds', 'Since when it is', ['neighbor'], (tell) =>
    ofNeighbours((neighbor, { establishedAt }) => {
      if (establishedAt !== undefined) tell({ neighbor }, establishedAt / SECOND)
    }),
  )
  counter('session_flaps', 'How often the session was established and has ended', ['neighbor'], (tell) =>
    ofNeighbours((neighbor) => tell({ neighbor }, seen.get(neighbor)?.flaps ?? 0)),
  )
  gauge('session_last_error_age_seconds', 'How long ago its last error came', ['neighbor'], (tell) =>
    ofNeighbours((neighbor) => {
      const errorAt = seen.get(neighbor)?.errorAt
      if (errorAt !== undefined) tell({ neighbor }, (clock() - errorAt) / SECOND)
    }),
  )
  for (const what of ['received', 'accepted'] as const) {
    const help = what === 'received' ? 'Prefixes that it has announced' : 'Those of them that are not excluded'
    gauge(`prefixes_${what}`, help, ['neighbor', 'family'], (tell) =>
      ofNeighbours((neighbor, { settings, routes }) => {
        for (const family of settings.session.families) tell({ neighbor, family }, routes[family][what])
      }),
    )
  }
  counter('messages', 'Messages of the sessions', ['neighbor', 'direction'], (tell) =>
    ofNeighbours((neighbor, { counts }) => {
      tell({ neighbor, direction: 'received' }, counts.messagesReceived)
      tell({ neighbor, direction: 'sent' }, counts.messagesSent)
    }),
  )
  counter('updates', 'UPDATE messages of the sessions', ['neighbor', 'direction'], (tell) =>
    ofNeighbours((neighbor, { counts }) => {
      tell({ neighbor, direction: 'received' }, counts.updatesReceived)
      tell({ neighbor, direction: 'sent' }, counts.updatesSent)
    }),
  )
  gauge('rib_prefixes', 'Prefixes with a best path', ['family'], (tell) => {
    for (const family of FAMILIES) tell({ family }, speaker.ribs.tables[family].size)
  })
  gauge('announced_prefixes', 'Prefixes that are announced beside the configuration', [], (tell) =>
    tell({}, speaker.announced.length),
  )
  gauge('kernel_settled', 'Whether every route is written to the kernel, or refused', [], (tell) =>
    tell({}, Number(controlled.fib?.isSettled ?? true)),
  )
  gauge('kernel_refused', 'Routes that the kernel does not take', [], (tell) =>
    tell({}, controlled.fib?.refused.length ?? 0),
  )
  gauge('resident_memory_bytes', 'Resident memory of the process', [], (tell) => tell({}, memoryUsage.rss()))

  return {
    contentType: registry.contentType,
    noticed() {
      ofNeighbours((neighbor, { establishedAt, lastError }) => {
        const before = seen.get(neighbor)
        const hasEnded = before?.establishedAt !== undefined && before.establishedAt !== establishedAt
        const isNewError = lastError !== undefined && (lastError !== before?.lastError || hasEnded)
        seen.set(neighbor, {
          establishedAt,
          lastError,
          errorAt: isNewError ? clock() : before?.errorAt,
          flaps: (before?.flaps ?? 0) + Number(hasEnded),
        })
      })
    },
    text: () => registry.metrics(),
  }
}
