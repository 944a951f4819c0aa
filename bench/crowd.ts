/**
 * Nodes that ask for a lease at the same time: `crowd.ts ENDPOINT PREFIX COUNT`. Each has its own part in the network and one
 * process has them all, with one connection to etcd and one table of leases. Writes what came of it as JSON.
 */
import { writeSync } from 'node:fs'
import { parseConfig } from '../src/overlay/config.ts'
import type { Lease } from '../src/overlay/lease.ts'
import { networkKeys } from '../src/overlay/lease-key.ts'
import { LeaseTable } from '../src/overlay/lease-table.ts'
import { OwnLease } from '../src/overlay/own-lease.ts'
import { LEASE_SECONDS } from '../src/overlay/registry.ts'
import { etcdStore } from '../src/store/etcd/etcd.ts'
import { systemClock } from '../src/store/system-clock.ts'
import { ghost } from './lease-network.ts'

export interface Crowd {
  /** From the first request on. */
  readonly milliseconds: number
  /** How many different ones they have. */
  readonly subnets: number
  /** MB of the process, at most. */
  readonly memory: number
}

const [endpoint, prefix, count] = process.argv.slice(2)
const store = etcdStore({ endpoints: [endpoint!] })
const config = parseConfig(JSON.stringify({ Network: '10.0.0.0/8', Backend: { Type: 'vxlan' } }))
const keys = networkKeys(prefix!)
const table = new LeaseTable(keys.subnets)
const leases = new Map<number, Lease>()
const began = performance.now()
const { promise: complete, resolve } = Promise.withResolvers<void>()

const nodes = Array.from({ length: Number(count) }, (_, i) => {
  const node = new OwnLease({
    store,
    table,
    clock: systemClock,
    random: Math.random,
    prefix: keys.subnets,
    previous: {},
    leaseSeconds: LEASE_SECONDS,
    renewSeconds: 3600,
    events: {
      lease(lease) {
        if (lease) leases.set(i, lease)
        else leases.delete(i)
        if (leases.size === Number(count)) resolve()
      },
      notice: ({ level, message }) => {
        if (level !== 'info') writeSync(2, `node ${i}: ${message}\n`)
      },
    },
  })
  const { publicIp, mac } = ghost(i + 1)
  node.announce({ config, attributes: { backend: 'vxlan', ipv4: { publicIp, vtep: { vni: 1, mac } } } })
  return node
})
/** Milliseconds: a node of its own would hear of many leases with one look, too. */
const MOMENT = 20
let isDue = false

/** Those that have their leases are not asked again: nothing of theirs changes. */
function wake(): void {
  if (isDue) return
  isDue = true
  setTimeout(() => {
    isDue = false
    for (const [i, node] of nodes.entries()) if (!leases.has(i)) node.wake()
  }, MOMENT)
}

const watch = store.watch(keys.subnets, {
  listed(listing) {
    table.list(listing)
    wake()
  },
  changed(changes) {
    table.change(changes)
    wake()
  },
  lost(error) {
    throw error
  },
})
await complete
const milliseconds = performance.now() - began
const subnets = new Set([...leases.values()].map(({ ipv4 }) => ipv4!.subnet)).size
const memory = process.resourceUsage().maxRSS / 1024
writeSync(1, `${JSON.stringify({ milliseconds, subnets, memory } satisfies Crowd)}\n`)
for (const node of nodes) node.close()
watch.close()
store.close()
