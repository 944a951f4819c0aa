/** What a speaker asks of its node, on the model: next hops, its own addresses, links. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { KernelNode } from '../../../src/bgp/node/kernel-node.ts'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import type { Route } from '../../../src/kernel/route.ts'
import { MILLISECOND } from '../../../src/model/clock.ts'
import { createModel } from '../../../src/model/create.ts'
import { modelClock } from '../../reconcile/model-clock.ts'
import { addLink } from './world.ts'

interface NodeWorld {
  readonly kernel: LiveKernel
  readonly node: KernelNode
  /** Routes of somebody else. */
  add(...routes: readonly Route[]): void
  /** How often the node has said that something changed. */
  readonly changes: () => number
  pass(milliseconds?: number): void
}

function world(check: (world: NodeWorld) => void): () => void {
  return () => {
    const kernel = createModel()
    kernel.links.set('lo', { up: true })
    addLink(kernel, 'eth0', '10.0.0.1/24', 'fd00::1/64')
    addLink(kernel, 'eth1', '10.0.1.1/24', 'fd01::1/64')
    const pass = (milliseconds = 3000) => void kernel.model.advance(milliseconds * MILLISECOND)
    pass() // the link-local addresses are no longer tentative
    const other = kernel.enter(kernel.namespacePath)!
    const node = new KernelNode(kernel, modelClock(kernel), 0xb6)
    let changes = 0
    node.watch(() => changes++)
    const add = (...routes: readonly Route[]) => {
      for (const route of routes) other.routes.add({ protocol: 4, ...route })
      pass()
    }
    check({ kernel, node, add, changes: () => changes, pass })
    node.close()
  }
}

const DEFAULT = { destination: '0.0.0.0/0', gateway: '10.0.1.9' }

test(
  'a neighbour on the link costs nothing, our own addresses are no next hops, what no route leads to is none',
  world(({ node }) => {
    assert.equal(node.resolve('10.0.0.2', undefined), 0)
    assert.equal(node.resolve('fd01::2', 'fe80::2'), 0)
    assert.equal(node.resolve('10.0.0.1', undefined), undefined)
    assert.equal(node.resolve('fd01::1', undefined), undefined)
    assert.equal(node.resolve('172.16.0.1', undefined), undefined)
    assert.equal(node.wayTo('172.16.0.1', undefined).why, 'no route leads to 172.16.0.1')
    assert.deepEqual(node.wayTo('fd01::2', 'fe80::2').hops, [{ gateway: 'fe80::2', link: 'eth1' }])
  }),
)

test(
  'behind a router the metric is the route’s, the longest prefix counts, then the lowest metric',
  world(({ node, add }) => {
    add(
      DEFAULT,
      { destination: '172.16.0.0/12', gateway: '10.0.0.9', metric: 70 },
      { destination: '172.16.5.0/24', gateway: '10.0.0.8', metric: 90 },
      { destination: '172.16.5.0/24', gateway: '10.0.1.8', metric: 80 },
    )
    assert.equal(node.resolve('172.16.0.1', undefined), 70)
    assert.equal(node.resolve('172.16.5.1', undefined), 80)
    assert.deepEqual(node.wayTo('172.16.5.1', undefined).hops, [{ gateway: '10.0.1.8', link: 'eth1' }])
    assert.equal(node.resolve('8.8.8.8', undefined), 0)
  }),
)

test(
  'a route that takes no packets is no way, and hides those behind it',
  world(({ node, add }) => {
    add(DEFAULT, { destination: '172.16.0.0/12', type: 'unreachable' })
    assert.equal(node.resolve('172.16.0.1', undefined), undefined)
    assert.equal(node.wayTo('172.16.0.1', undefined).why, 'route 172.16.0.0/12 is unreachable')
  }),
)

test(
  'our own routes lead to no next hop',
  world(({ node, add }) => {
    add({ destination: '172.16.0.0/12', gateway: '10.0.0.9', protocol: 0xb6 })
    assert.equal(node.resolve('172.16.0.1', undefined), undefined)
    node.setProtocol(99)
  }),
)

test(
  'while its link is down a neighbour is behind no default route, nor its link-local address behind another link',
  world(({ kernel, node, add, pass }) => {
    add(DEFAULT, { destination: '::/0', gateway: 'fd01::9' })
    kernel.links.set('eth0', { up: false })
    pass()
    assert.equal(node.resolve('10.0.0.2', undefined), undefined)
    assert.equal(node.resolve('fd00::2', undefined), undefined)
    assert.equal(node.wayTo('fd00::2', 'fe80::2').why, 'eth0 is down')
    assert.equal(node.whyUnreachable('10.0.0.2'), 'eth0 is down')
    assert.equal(node.resolve('8.8.8.8', undefined), 0)
    kernel.links.set('eth0', { up: true })
    pass()
    assert.equal(node.resolve('10.0.0.2', undefined), 0)
    assert.equal(node.whyUnreachable('10.0.0.2'), undefined)
  }),
)

test(
  'a link without a carrier leads nowhere',
  world(({ kernel, node, add, pass }) => {
    add(DEFAULT, { destination: '172.16.0.0/12', gateway: '10.0.0.9' })
    kernel.links.set('eth0p', { up: false })
    pass()
    assert.equal(node.whyUnreachable('10.0.0.2'), 'eth0 has no carrier')
    assert.equal(node.resolve('10.0.0.2', undefined), undefined)
    assert.equal(node.resolve('172.16.0.1', undefined), undefined)
    assert.equal(node.wayTo('172.16.0.1', undefined).why, 'eth0 has no carrier')
  }),
)

test(
  'of a route by two links the one that works is left',
  world(({ kernel, node, add, pass }) => {
    const nextHops = [
      { gateway: '10.0.0.9', link: 'eth0' },
      { gateway: '10.0.1.9', link: 'eth1' },
    ]
    add({ destination: '172.16.0.0/12', nextHops })
    assert.deepEqual(node.wayTo('172.16.0.1', undefined).hops, nextHops)
    kernel.links.set('eth0p', { up: false })
    pass()
    assert.deepEqual(node.wayTo('172.16.0.1', undefined).hops, [nextHops[1]])
  }),
)

test(
  'a link-local next hop is on the only link, and on none where there are several',
  world(({ kernel, node, pass }) => {
    assert.equal(node.resolve('fe80::2', undefined), undefined)
    assert.match(node.wayTo('fe80::2', undefined).why!, /^fe80::2 may be on /)
    assert.equal(node.whyUnreachable('fe80::2'), undefined)
    for (const name of ['eth1', 'eth0p']) kernel.links.set(name, { up: false })
    kernel.links.delete('eth1')
    kernel.sysctl.set('net/ipv6/conf/eth0p/disable_ipv6', '1')
    kernel.links.set('eth0p', { up: true })
    pass()
    assert.deepEqual(node.wayTo('fe80::2', undefined).hops, [{ gateway: 'fe80::2', link: 'eth0' }])
  }),
)

test(
  'peers know us by both addresses of the link, and by its link-local one where they are on it',
  world(({ kernel, node, pass }) => {
    const { ipv4, ipv6, linkLocal } = node.localAddress('10.0.0.1', '10.0.0.2')
    assert.deepEqual([ipv4, ipv6], ['10.0.0.1', 'fd00::1'])
    const own = kernel.addresses.list('eth0').find(({ prefix }) => prefix.startsWith('fe80'))!
    assert.equal(`${linkLocal}/64`, own.prefix)
    assert.deepEqual(node.localAddress('fd01::1', '2001:db8::1'), {
      ipv4: '10.0.1.1',
      ipv6: 'fd01::1',
      linkLocal: undefined,
    })
    assert.deepEqual(node.localAddress('192.0.2.1', '10.0.0.2'), {
      ipv4: undefined,
      ipv6: undefined,
      linkLocal: undefined,
    })
    kernel.addresses.add({ link: 'eth0', prefix: '10.0.0.77/24' })
    pass()
    assert.equal(node.localAddress('10.0.0.77', '10.0.0.2').ipv4, '10.0.0.77')
  }),
)

test(
  'many changes at once are told once, a moment later, and none when nobody listens',
  world(({ kernel, node, changes, pass }) => {
    const before = changes()
    for (let i = 10; i < 20; i++) kernel.addresses.add({ link: 'eth0', prefix: `10.0.${i}.1/24` })
    assert.equal(changes(), before)
    pass(20)
    assert.equal(changes(), before + 1)
    assert.equal(node.resolve('10.0.15.2', undefined), 0)
    node.close()
    kernel.addresses.add({ link: 'eth0', prefix: '10.0.99.1/24' })
    pass()
    assert.equal(changes(), before + 1)
  }),
)
