/** What the keeper does, on whichever kernel: the model runs these without root, Linux with it. */
import assert from 'node:assert/strict'
import type { Change, LiveKernel, Subscription } from '../../src/kernel/live.ts'
import { hostGw } from '../../src/overlay/backend/host-gw.ts'
import { onLink } from '../../src/overlay/backend/on-link.ts'
import { vxlan } from '../../src/overlay/backend/vxlan.ts'
import type { NetworkConfig } from '../../src/overlay/config.ts'
import type { Lease } from '../../src/overlay/lease.ts'
import { type Clock, type KeepEvents, type Keeper, keep } from '../../src/reconcile/keep.ts'
import type { State } from '../../src/reconcile/state.ts'
import { eventually } from '../contract/kernel/case.ts'
import { network, plainLease, uplink, vxlanConfig, vxlanLease } from '../overlay/backend/node.ts'

export interface KeepWorld {
  /** A namespace with eth0, 192.168.77.1/24, which is up; nothing else. */
  readonly kernel: LiveKernel
  readonly clock: Clock
  /** Ended with the case. */
  keep(events?: KeepEvents): Keeper
}

const OVERLAY = 'flannel.1'
const own = vxlanLease(72)
const config = network(vxlanConfig)
const stateOf = (
  peers: readonly Lease[],
  its: NetworkConfig & { backend: typeof vxlanConfig } = config,
  link = uplink,
): State => vxlan.plan({ uplink: link, lease: own, peers, config: its })

/** What is there of an overlay, in iproute2's words. */
export function overlayOf(kernel: LiveKernel): string[] {
  const { links, addresses, neighbours, fdb, routes } = kernel
  if (!links.get(OVERLAY)) return []
  return [
    ...addresses.list(OVERLAY).flatMap(({ prefix }) => (prefix.startsWith('fe80') ? [] : [`address ${prefix}`])),
    ...neighbours
      .list({ link: OVERLAY })
      .flatMap(({ address, mac, state }) => (state === 'permanent' ? [`neigh ${address} ${mac}`] : [])),
    ...fdb.list({ link: OVERLAY }).map(({ mac, destination }) => `fdb ${mac} ${destination}`),
    ...routes
      .list({ family: 'ipv4', link: OVERLAY, table: 254 })
      .map(({ destination, gateway, onlink }) => `route ${destination} via ${gateway}${onlink ? ' onlink' : ''}`),
  ].sort()
}

/** What should be there for these peers. */
export function entriesFor(...peers: readonly number[]): string[] {
  return [
    'address 10.5.72.0/32',
    ...peers.flatMap((n) => {
      const { subnet, publicIp, vtep } = vxlanLease(n).ipv4!
      const gateway = subnet.replace('/24', '')
      return [`neigh ${gateway} ${vtep!.mac}`, `fdb ${vtep!.mac} ${publicIp}`, `route ${subnet} via ${gateway} onlink`]
    }),
  ].sort()
}

const becomes = (kernel: LiveKernel, entries: readonly string[], what: string) =>
  eventually(() => overlayOf(kernel).join() === entries.join() && kernel.links.get(OVERLAY)?.up === true, what)

/** Every change that is notified from now on, also those of the keeper. */
function listen(kernel: LiveKernel): { readonly changes: Change[] } & Subscription {
  const changes: Change[] = []
  const subjects = ['link', 'address', 'route', 'rule', 'neighbour', 'fdb', 'nftables'] as const
  const subscription = kernel.watch(subjects, (change) => {
    assert.notEqual(change, 'lost')
    if (change !== 'lost') changes.push(change)
  })
  return { changes, close: () => subscription.close() }
}

const DAMAGES: Readonly<Record<string, (kernel: LiveKernel) => void>> = {
  'a route': ({ routes }) => routes.delete({ destination: '10.5.2.0/24', link: OVERLAY }),
  'a neighbour': ({ neighbours }) => neighbours.delete({ link: OVERLAY, address: '10.5.2.0' }),
  'an FDB entry': ({ fdb }) =>
    fdb.delete({ link: OVERLAY, mac: 'c6:d2:32:00:04:02', owner: 'self', destination: '192.168.77.2' }),
  'its address': ({ addresses }) => addresses.delete({ link: OVERLAY, prefix: '10.5.72.0/32' }),
  'the device': ({ links }) => links.delete(OVERLAY),
  'its being up': ({ links }) => links.set(OVERLAY, { up: false }),
  'its MTU': ({ links }) => links.set(OVERLAY, { mtu: 1300 }),
  'its MAC': ({ links }) => links.set(OVERLAY, { mac: '02:00:00:00:00:99' }),
  'its not learning': ({ links }) => links.set(OVERLAY, { vxlan: { learning: true } }),
  'a neighbour’s MAC': ({ neighbours }) =>
    neighbours.replace({ link: OVERLAY, address: '10.5.2.0', mac: '02:00:00:00:00:99', state: 'permanent' }),
  'the destination of an FDB entry': ({ fdb }) =>
    fdb.replace({ link: OVERLAY, mac: 'c6:d2:32:00:04:02', owner: 'self', destination: '192.168.77.99' }),
  'a route, for one by another gateway': ({ routes }) =>
    routes.replace({ destination: '10.5.2.0/24', gateway: '192.168.77.9', link: 'eth0', protocol: 4 }),
}

const untouched = ({ links }: LiveKernel) => {
  const { mac, mtu, up, vxlan } = links.get(OVERLAY) ?? {}
  return mac === own.ipv4!.vtep!.mac && mtu === 1450 && up && vxlan?.learning === false
}

export const keepCases: readonly { readonly title: string; check(world: KeepWorld): Promise<void> }[] = [
  {
    title: 'what is desired is there when desire() returns',
    async check({ kernel, keep }) {
      keep().desire(stateOf([vxlanLease(2), vxlanLease(3)]))
      assert.deepEqual(overlayOf(kernel), entriesFor(2, 3))
      assert.ok(untouched(kernel))
      assert.equal(kernel.sysctl.get('net/ipv6/conf/flannel.1/accept_ra'), '0')
    },
  },
  {
    title: 'where everything is as desired nothing is written, also by one that starts again',
    async check({ kernel, keep }) {
      const state = stateOf([vxlanLease(2), vxlanLease(3)])
      const first = keep()
      first.desire(state)
      await eventually(() => first.settled, 'it is settled')
      first.close()
      const { changes } = listen(kernel)
      const second = keep()
      second.desire(state)
      second.desire(state)
      // A change of ours comes behind all that the keeper might have made: now, and when it has looked.
      const told = (alias: string) => {
        const before = changes.length
        kernel.links.set('lo', { alias })
        return eventually(() => changes.slice(before).some(({ link }) => link === 'lo'), 'our own change is told')
      }
      await told('first')
      await eventually(() => second.settled, 'it is settled')
      await told('last')
      assert.deepEqual(
        changes.filter(({ link }) => link !== 'lo'),
        [],
      )
    },
  },
  ...Object.entries(DAMAGES).map(([what, damage]) => ({
    title: `who takes away ${what} finds it back a moment later`,
    async check({ kernel, keep }: KeepWorld) {
      const keeper = keep()
      keeper.desire(stateOf([vxlanLease(2), vxlanLease(3)]))
      damage(kernel)
      await becomes(kernel, entriesFor(2, 3), `${what} is back`)
      await eventually(() => untouched(kernel) === true, 'the device is as it was')
      assert.equal(
        kernel.routes.list({ link: 'eth0' }).filter(({ destination }) => destination === '10.5.2.0/24').length,
        0,
      )
      await eventually(() => keeper.settled, 'it is settled')
    },
  })),
  {
    title: 'a setting of a device that is made anew is set again',
    async check({ kernel, keep }) {
      keep().desire(stateOf([]))
      kernel.links.delete(OVERLAY)
      await becomes(kernel, entriesFor(), 'the device is back')
      assert.equal(kernel.sysctl.get('net/ipv6/conf/flannel.1/accept_ra'), '0')
    },
  },
  {
    title: 'what is left of nodes that went meanwhile goes, and what is not ours stays',
    async check({ kernel, keep }) {
      const before = keep()
      before.desire(stateOf([vxlanLease(2), vxlanLease(3)]))
      before.close()
      const foreign = [
        { destination: '10.99.0.0/16', gateway: '10.99.0.0', link: OVERLAY, onlink: true, protocol: 3 },
        { destination: '10.5.200.0/23', gateway: '10.5.200.0', link: OVERLAY, onlink: true, protocol: 3 },
        { destination: '10.5.201.0/24', gateway: '10.5.201.0', link: OVERLAY, onlink: true, protocol: 4 },
        { destination: '10.5.202.0/24', gateway: '192.168.77.9', link: 'eth0', protocol: 3 },
      ]
      for (const route of foreign) kernel.routes.add(route)
      kernel.addresses.add({ link: OVERLAY, prefix: '10.99.7.1/32' })
      kernel.addresses.add({ link: OVERLAY, prefix: '10.5.9.0/32' })
      keep().desire(stateOf([vxlanLease(3)]))
      const kept = [
        'address 10.99.7.1/32',
        ...foreign.slice(0, 3).map(({ destination, gateway }) => `route ${destination} via ${gateway} onlink`),
      ]
      assert.deepEqual(overlayOf(kernel), [...entriesFor(3), ...kept].sort())
      assert.ok(kernel.routes.list({ link: 'eth0' }).some(({ destination }) => destination === '10.5.202.0/24'))
    },
  },
  {
    title:
      'a node that leaves takes its entries along, though somebody took them before, and one that comes has its own at once',
    async check({ kernel, keep }) {
      const refused: Error[] = []
      const keeper = keep({ refused: (error) => refused.push(error) })
      keeper.desire(stateOf([vxlanLease(2), vxlanLease(3)]))
      DAMAGES['a route']!(kernel)
      DAMAGES['a neighbour']!(kernel)
      DAMAGES['an FDB entry']!(kernel)
      keeper.desire(stateOf([vxlanLease(3), vxlanLease(4)]))
      assert.deepEqual(overlayOf(kernel), entriesFor(3, 4))
      assert.deepEqual(refused, [])
    },
  },
  {
    title: 'a node with another MAC and another address has exactly the new entries',
    async check({ kernel, keep }) {
      const keeper = keep()
      keeper.desire(stateOf([vxlanLease(2)]))
      const moved = vxlanLease(2, '192.168.77.22')
      const mac = '02:aa:00:00:00:01'
      keeper.desire(stateOf([{ ...moved, ipv4: { ...moved.ipv4!, vtep: { vni: 1, mac } } }]))
      assert.deepEqual(overlayOf(kernel), [
        'address 10.5.72.0/32',
        `fdb ${mac} 192.168.77.22`,
        `neigh 10.5.2.0 ${mac}`,
        'route 10.5.2.0/24 via 10.5.2.0 onlink',
      ])
    },
  },
  {
    title: 'a device that is right stays, one that is otherwise is made anew with the MAC that peers know',
    async check({ kernel, keep }) {
      const keeper = keep()
      keeper.desire(stateOf([vxlanLease(2)]))
      const { index } = kernel.links.get(OVERLAY)!
      keeper.desire(stateOf([vxlanLease(2)], config, { ...uplink, mtu: 1400 }))
      assert.deepEqual([kernel.links.get(OVERLAY)?.mtu, kernel.links.get(OVERLAY)?.index], [1350, index])
      keeper.desire(stateOf([vxlanLease(2)], network({ ...vxlanConfig, port: 4789 })))
      const device = kernel.links.get(OVERLAY)!
      assert.notEqual(device.index, index)
      assert.deepEqual([device.vxlan?.port, device.mac], [4789, own.ipv4!.vtep!.mac])
      assert.deepEqual(overlayOf(kernel), entriesFor(2))
    },
  },
  {
    title: 'a route that is refused holds up none, is told of once, and is there when its gateway can be reached',
    async check({ kernel, keep }) {
      const refused: string[] = []
      const keeper = keep({ refused: (error) => refused.push(error.message) })
      const peers = [
        plainLease(2, 'host-gw', '192.168.99.2'),
        plainLease(3, 'host-gw', '192.168.99.3'),
        plainLease(4, 'host-gw'),
      ]
      const state = hostGw.plan({
        uplink,
        lease: plainLease(72, 'host-gw'),
        peers,
        config: network({ type: 'host-gw' }),
        reachable: () => true,
      })
      keeper.desire(state)
      const routes = () =>
        kernel.routes
          .list({ family: 'ipv4', link: 'eth0', protocol: 3 })
          .map(({ destination }) => destination)
          .sort()
      assert.deepEqual(routes(), ['10.5.4.0/24'])
      assert.deepEqual(refused, ['Cannot add route 10.5.2.0/24 via 192.168.99.2 dev eth0: ENETUNREACH'])
      assert.equal(keeper.refused.length, 2)
      assert.equal(keeper.settled, false)
      kernel.addresses.add({ link: 'eth0', prefix: '192.168.99.1/24' })
      await eventually(() => routes().length === 3, 'the others are there')
      await eventually(() => keeper.settled, 'it is settled')
      assert.deepEqual([refused.length, keeper.refused], [1, []])
    },
  },
  {
    title: 'the device of an uplink that went comes back with it',
    async check({ kernel, keep }) {
      const keeper = keep()
      keeper.desire(stateOf([vxlanLease(2)]))
      kernel.links.delete('eth0')
      await eventually(() => kernel.links.get(OVERLAY) === undefined, 'the device is gone')
      await eventually(() => keeper.refused.length > 0, 'it is refused')
      kernel.links.add({ kind: 'veth', name: 'eth0', up: true, peer: { name: 'eth0p' } })
      await becomes(kernel, entriesFor(2), 'everything is back')
    },
  },
  {
    title: 'a state that depends on the routing is asked for again when that changes',
    async check({ kernel, keep }) {
      const direct = network({ ...vxlanConfig, directRouting: true })
      const far = vxlanLease(2, '192.168.99.2')
      const reachable = onLink(kernel, uplink)
      keep().desire(() => vxlan.plan({ uplink, lease: own, peers: [far], config: direct, reachable }))
      assert.deepEqual(overlayOf(kernel), ['address 10.5.72.0/32', ...entriesOf(far)].sort())
      kernel.addresses.add({ link: 'eth0', prefix: '192.168.99.1/24' })
      const directly = () =>
        kernel.routes
          .list({ link: 'eth0', protocol: 3 })
          .some(({ destination, gateway }) => destination === '10.5.2.0/24' && gateway === '192.168.99.2')
      await eventually(() => directly() && overlayOf(kernel).length === 1, 'it is routed directly')
      kernel.addresses.delete({ link: 'eth0', prefix: '192.168.99.1/24' })
      await eventually(() => !directly() && overlayOf(kernel).length === 4, 'it is behind the tunnel again')
    },
  },
  {
    title: 'a table of ours that somebody flushed is filled again, with its chains as they were',
    async check({ kernel, keep }) {
      const table = { family: 'ip', name: 'ours' } as const
      const chain = {
        family: 'ip',
        table: 'ours',
        name: 'c',
        base: { type: 'filter', hook: 'forward', priority: 0 },
      } as const
      const content = [{ expressions: [{ type: 'verdict', verdict: 'accept' }] }] as const
      keep().desire({ nftTables: [table], nftChains: [{ chain, content }], owned: { nftTables: [table] } })
      const rules = () => kernel.nftables.rules({ family: 'ip', table: 'ours', name: 'c' })
      assert.equal(rules().length, 1)
      kernel.nftables.commit([{ operation: 'delete table', table }])
      await eventually(() => rules().length === 1, 'the table is back')
      kernel.nftables.commit([
        {
          operation: 'insert rule',
          rule: { family: 'ip', table: 'ours', chain: 'c', expressions: [{ type: 'verdict', verdict: 'drop' }] },
        },
      ])
      await eventually(() => rules().length === 1, 'the rule too many is gone')
      assert.deepEqual(rules()[0]?.expressions, content[0].expressions)
    },
  },
]

function entriesOf(lease: Lease): string[] {
  const { subnet, publicIp, vtep } = lease.ipv4!
  const gateway = subnet.replace('/24', '')
  return [`neigh ${gateway} ${vtep!.mac}`, `fdb ${vtep!.mac} ${publicIp}`, `route ${subnet} via ${gateway} onlink`]
}

/** A world on this kernel, and how to end what was begun in it. */
export function keepWorld(kernel: LiveKernel, clock: Clock): { readonly world: KeepWorld; close(): void } {
  const keepers: Keeper[] = []
  kernel.links.set('lo', { up: true })
  kernel.links.add({ kind: 'veth', name: 'eth0', up: true, peer: { name: 'eth0p' } })
  kernel.links.set('eth0p', { up: true })
  kernel.addresses.add({ link: 'eth0', prefix: '192.168.77.1/24' })
  return {
    world: {
      kernel,
      clock,
      keep(events) {
        const keeper = keep(kernel, clock, events)
        keepers.push(keeper)
        return keeper
      },
    },
    close() {
      for (const keeper of keepers) keeper.close()
    },
  }
}
