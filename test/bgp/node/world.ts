/** A speaker's node and routes on whichever kernel, with two links, and somebody else who watches and meddles. */
import assert from 'node:assert/strict'
import { familyOfKey, type PrefixKey, parsePrefixKey } from '../../../src/bgp/nlri.ts'
import { KernelFib } from '../../../src/bgp/node/kernel-fib.ts'
import { KernelNode } from '../../../src/bgp/node/kernel-node.ts'
import { NextHops } from '../../../src/bgp/rib/next-hops.ts'
import { OWN_ATTRIBUTES } from '../../../src/bgp/rib/own-routes.ts'
import { createPath, type Path } from '../../../src/bgp/rib/path.ts'
import { type KernelSettings, ROUTE_METRIC, ROUTE_PROTOCOL } from '../../../src/bgp/speaker-settings.ts'
import type { Change, LiveKernel, Subscription } from '../../../src/kernel/live.ts'
import type { Route } from '../../../src/kernel/route.ts'
import type { Clock } from '../../../src/reconcile/keep.ts'
import { eventually } from '../../contract/kernel/case.ts'

export const settings: KernelSettings = {
  protocol: ROUTE_PROTOCOL,
  table: 254,
  metric: ROUTE_METRIC,
  ecmp: 16,
  persist: false,
}

/** A next hop: an address, or an address and its link-local one; with a priority where the route is to have another metric. */
export interface Via {
  readonly hop: string
  readonly linkLocal?: string
  readonly priority?: number
}

export interface FibWorld {
  /** eth0 has 10.0.0.1/24 and fd00::1/64, eth1 10.0.1.1/24 and fd01::1/64; both carry packets. */
  readonly kernel: LiveKernel
  /** Another handle to the same namespace: somebody else. */
  readonly other: LiveKernel
  readonly clock: Clock
  readonly node: KernelNode
  /** Configured with `settings`. */
  fib: KernelFib
  /** What is told of routes that are neither the kernel's nor in table local, as "new 10.5.0.0/16". */
  readonly told: string[]
  /** What refusals and quarrels were reported. */
  readonly reported: string[]
  /** A new one in the place of `fib`, as after a restart. */
  restart(): void
  /** What the speaker has decided; none: no path. Till it is written. */
  goes(prefix: string | readonly string[], ...by: readonly (string | Via)[]): Promise<void>
  configure(settings: KernelSettings, blackholes: readonly string[]): Promise<void>
  settled(): Promise<void>
  /** Links that were made a moment ago have their carrier. */
  ready(): Promise<void>
}

export function addLink(kernel: LiveKernel, name: string, ...prefixes: readonly string[]): void {
  kernel.links.add({ kind: 'veth', name, up: true, peer: { name: `${name}p` } })
  kernel.links.set(`${name}p`, { up: true })
  for (const prefix of prefixes)
    kernel.addresses.add({ link: name, prefix, ...(prefix.includes(':') && { noDad: true }) })
}

export function fibWorld(kernel: LiveKernel, clock: Clock): { readonly world: FibWorld; close(): void } {
  kernel.links.set('lo', { up: true })
  addLink(kernel, 'eth0', '10.0.0.1/24', 'fd00::1/64')
  addLink(kernel, 'eth1', '10.0.1.1/24', 'fd01::1/64')
  const other = kernel.enter(kernel.namespacePath)!
  const told: string[] = []
  const reported: string[] = []
  const subscription = listen(other, told)
  const node = new KernelNode(kernel, clock, settings.protocol)
  const events = {
    refused: (error: Error) => void reported.push(error.message),
    contested: (what: string) => void reported.push(`contested ${what}`),
    failed: (error: Error) => void reported.push(`failed ${error.message}`),
  }
  const create = () => {
    const fib = new KernelFib({ kernel, clock, node, events })
    fib.configure(settings, [])
    return fib
  }
  const world: FibWorld = {
    kernel,
    other,
    clock,
    node,
    told,
    reported,
    fib: create(),
    restart() {
      world.fib.close('leave')
      world.fib = create()
    },
    goes(prefix, ...by) {
      const keys = (typeof prefix === 'string' ? [prefix] : prefix).map(parsePrefixKey)
      const paths = by.map((via) => pathBy(typeof via === 'string' ? { hop: via } : via))
      world.fib.update(familyOfKey(keys[0]!), keys, (_key: PrefixKey) => paths)
      return world.settled()
    },
    configure(its, blackholes) {
      world.fib.configure(its, blackholes)
      return world.settled()
    },
    ready: () =>
      eventually(
        () => ['10.0.0.2', '10.0.1.2', 'fd00::2', 'fd01::2'].every((hop) => node.resolve(hop, undefined) === 0),
        'all links have a carrier',
      ),
    settled: () => eventually(() => world.fib.isSettled, 'it is settled'),
  }
  return {
    world,
    close() {
      subscription.close()
      world.fib.close('leave')
      node.close()
      other.close()
    },
  }
}

/** Routes of the main table of a protocol, as `ip route` would write them. */
export function routesOf(kernel: LiveKernel, protocol = ROUTE_PROTOCOL): string[] {
  return kernel.routes
    .list({ protocol })
    .filter(({ table }) => table !== 255)
    .map(format)
    .sort()
}

function format({ type, destination, metric, table, nextHops, ...hop }: Route): string {
  const hops = type === 'unicast' ? (nextHops ?? [hop]) : []
  const ways = hops.map(({ gateway, link, onlink }) => `via ${gateway} dev ${link}${onlink ? ' onlink' : ''}`).sort()
  const place = table === 254 ? `metric ${metric}` : `table ${table} metric ${metric}`
  return [...(type === 'unicast' ? [] : [type]), destination, ...ways, place].join(' ')
}

function listen(kernel: LiveKernel, told: string[]): Subscription {
  return kernel.watch(['route'], (change) => {
    assert.notEqual(change, 'lost')
    const { operation, thing } = change as Change
    const route = thing as Route | undefined
    if (!route) told.push(operation)
    else if (route.table !== 255 && route.protocol !== 2) told.push(`${operation} ${route.destination}`)
  })
}

const hops = new NextHops(() => 0)
const known = new Map<string, Path>()

/** The same path for the same next hop, as in a table. */
function pathBy({ hop, linkLocal, priority }: Via): Path {
  const name = `${hop} ${linkLocal} ${priority}`
  let path = known.get(name)
  if (!path) {
    const peer = { address: hop, routerId: 1, as: 65001, kind: 'external', clusterId: undefined } as const
    path = createPath({
      source: { peer, stale: false },
      pathId: 0,
      received: OWN_ATTRIBUTES,
      attributes: OWN_ATTRIBUTES,
      priority,
      interface: undefined,
      hop: hops.get(hop, linkLocal),
      excluded: undefined,
    })
    known.set(name, path)
  }
  return path
}
