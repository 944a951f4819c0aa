/** A daemon's figures for Prometheus. Most are read when they are asked for; counters of events are told. */
import { memoryUsage } from 'node:process'
import { Counter, Gauge, Registry } from 'prom-client'
import type { Condition } from '../../overlay/health.ts'
import type { Operation } from '../../reconcile/state.ts'

export interface Metrics {
  readonly contentType: string
  countNotice(subject: string, level: string): void
  countOperations(operations: readonly Operation[], cause: string): void
  text(): Promise<string>
}

const SNAKE = /[A-Z]/g

export function createMetrics(version: string, condition: () => Condition): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const gauge = (name: string, help: string, read: (condition: Condition) => number | undefined) =>
    new Gauge({
      name: `overlab_${name}`,
      help,
      registers,
      collect() {
        this.set(read(condition()) ?? Number.NaN)
      },
    })

  new Gauge({ name: 'overlab_build_info', help: 'Version of overlab', labelNames: ['version'], registers }).set(
    { version },
    1,
  )
  gauge('ready', 'Whether pods of this node can be attached and reach the others', ({ isReady }) => Number(isReady))
  gauge('peers', 'Leases of other nodes that the kernel has been told of', ({ peers }) => peers)
  gauge('peers_left_out', 'Of them those that the backend cannot reach', ({ leftOut }) => leftOut)
  gauge('kernel_refused', 'Things that the kernel refuses just now', ({ refused }) => refused)
  gauge('store_away_seconds', 'How long the store has not been reached', ({ storeAway }) => storeAway)
  gauge(
    'lease_left_seconds',
    'Until the lease ends if it is not renewed; NaN without one',
    ({ leaseLeft }) => leaseLeft,
  )
  gauge('resident_memory_bytes', 'Resident memory of the process', () => memoryUsage.rss())

  const notices = new Counter({
    name: 'overlab_notices_total',
    help: 'Lines of the log, by what they are about',
    labelNames: ['subject', 'level'],
    registers,
  })
  const operations = new Counter({
    name: 'overlab_kernel_operations_total',
    help: 'Changes made in the kernel; changed: since somebody else had changed something',
    labelNames: ['subject', 'operation', 'cause'],
    registers,
  })
  addUdpCounters(registry, condition)

  return {
    contentType: registry.contentType,
    countNotice: (subject, level) => notices.inc({ subject, level }),
    countOperations(done, cause) {
      for (const { subject, operation } of done) operations.inc({ subject, operation, cause })
    },
    text: () => registry.metrics(),
  }
}

/** One counter with a label, which has values only while the backend is udp. */
function addUdpCounters(registry: Registry, condition: () => Condition): void {
  new Counter({
    name: 'overlab_udp_events_total',
    help: 'What the data path of the backend udp has counted',
    labelNames: ['event'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [name, value] of Object.entries(condition().udp ?? {})) {
        this.inc({ event: name.replace(SNAKE, (letter) => `_${letter.toLowerCase()}`) }, value)
      }
    },
  })
}
