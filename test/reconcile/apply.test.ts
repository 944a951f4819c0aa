import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { KernelError } from '../../src/kernel/errors.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import type { NftOperation, NftRuleset } from '../../src/kernel/nftables.ts'
import type { Route } from '../../src/kernel/route.ts'
import { apply, reconcile } from '../../src/reconcile/apply.ts'
import type { Operation, State } from '../../src/reconcile/state.ts'
import { seenLink } from './naive.ts'

const element = { family: 'inet', table: 't', set: 's', element: { key: Uint8Array.of(10, 0, 0, 1) } } as const
const noRules: NftRuleset = { tables: [], chains: [], sets: [], rules: [] }

/** A kernel that writes down what it is told, and answers what it is given here. */
function recorder(answers: Partial<Record<string, (...args: never[]) => unknown>> = {}) {
  const calls: string[] = []
  const room = (name: string) =>
    new Proxy(
      {},
      {
        get:
          (_, method) =>
          (...args: unknown[]) => {
            const call = `${name}.${String(method)}`
            calls.push(
              `${call} ${JSON.stringify(args, (_, value) => (value instanceof Uint8Array ? [...value] : value))}`,
            )
            return answers[call]?.(...(args as never[])) ?? (method === 'batch' || method === 'list' ? [] : undefined)
          },
      },
    )
  const rooms = ['links', 'sysctl', 'bridgeVlans', 'addresses', 'neighbours', 'fdb', 'routes', 'rules', 'nftables']
  const kernel = Object.fromEntries(rooms.map((name) => [name, room(name)])) as unknown as Kernel
  return { kernel, calls }
}

const vlan = (vlan: number): Operation => ({
  subject: 'vlans',
  operation: 'add',
  desired: { link: 'p0', vlan, pvid: false, untagged: false },
})

describe('apply()', () => {
  test('sends routes together, and everything of nftables at once', () => {
    const { kernel, calls } = recorder()
    const route = (destination: string): Operation => ({
      subject: 'routes',
      operation: 'add',
      desired: { destination },
    })
    apply(kernel, [
      route('10.1.0.0/16'),
      route('10.2.0.0/16'),
      { subject: 'nftTables', operation: 'add', desired: { family: 'inet', name: 't' } },
      { subject: 'nftElements', operation: 'add', desired: element },
    ])
    assert.deepEqual(
      calls.map((call) => call.split(' ')[0]),
      ['routes.batch', 'nftables.commit'],
    )
  })

  test('sends neighbouring VLANs as one range', () => {
    const { kernel, calls } = recorder()
    apply(kernel, [vlan(9), vlan(5), vlan(7), vlan(8)])
    assert.deepEqual(calls, [
      'bridgeVlans.add ["p0",{"id":5,"end":5,"pvid":false,"untagged":false}]',
      'bridgeVlans.add ["p0",{"id":7,"end":9,"pvid":false,"untagged":false}]',
    ])
  })

  test('names the first route that is refused, and how many more are', () => {
    const refused = () => [
      { index: 1, errno: 'ENETUNREACH' },
      { index: 2, errno: 'ENETUNREACH' },
    ]
    const { kernel } = recorder({ 'routes.batch': refused })
    const destinations = ['10.1.0.0/16', '10.2.0.0/16', '10.3.0.0/16']
    const operations = destinations.map(
      (destination): Operation => ({
        subject: 'routes',
        operation: 'add',
        desired: { destination, gateway: '192.0.2.1' },
      }),
    )
    assert.throws(() => apply(kernel, operations), {
      errno: 'ENETUNREACH',
      message: 'Cannot add route 10.2.0.0/16 via 192.0.2.1, and 1 more: ENETUNREACH',
    })
  })

  test('takes it for done that a route to be removed is gone', () => {
    const { kernel } = recorder({ 'routes.batch': () => [{ index: 0, errno: 'ESRCH' }] })
    apply(kernel, [{ subject: 'routes', operation: 'remove', seen: { destination: '10.1.0.0/16' } }])
  })

  test('changes of a link what differs, and nothing else', () => {
    const { kernel, calls } = recorder()
    const seen = seenLink({ name: 'eth0', kind: 'veth', mtu: 1500 })
    apply(kernel, [
      {
        subject: 'links',
        operation: 'change',
        desired: { name: 'eth0', kind: 'veth', mtu: 1400, mac: seen.link.mac },
        seen,
      },
    ])
    assert.deepEqual(calls, ['links.set ["eth0",{"mtu":1400}]'])
  })

  test('makes a link with all that can be said at its birth, and sets the rest', () => {
    const { kernel, calls } = recorder()
    const birth = { name: 'cni0', kind: 'bridge' } as const
    apply(kernel, [{ subject: 'links', operation: 'add', desired: { ...birth, birth, mtu: 1400, promiscuous: true } }])
    assert.deepEqual(calls, [
      'links.add [{"name":"cni0","kind":"bridge","mtu":1400}]',
      'links.set ["cni0",{"promiscuous":true}]',
    ])
  })

  test('tells how to take back what was added, and nothing that was changed or removed', () => {
    const { kernel, calls } = recorder()
    const steps: (() => void)[] = []
    const address = { link: 'eth0', prefix: '10.0.0.1/24' }
    const route: Route = { destination: '10.1.0.0/16' }
    apply(
      kernel,
      [
        { subject: 'addresses', operation: 'add', desired: address },
        { subject: 'routes', operation: 'add', desired: route },
        { subject: 'routes', operation: 'change', desired: { destination: '10.2.0.0/16' }, seen: route },
        { subject: 'nftElements', operation: 'add', desired: element },
      ],
      (step) => steps.push(step),
    )
    calls.length = 0
    for (const step of steps.reverse()) step()
    assert.deepEqual(calls, [
      'nftables.commit [[{"operation":"delete elements","set":{"family":"inet","table":"t","name":"s"},"elements":[{"key":[10,0,0,1]}]}]]',
      'routes.delete [{"destination":"10.1.0.0/16"}]',
      'addresses.delete [{"link":"eth0","prefix":"10.0.0.1/24"}]',
    ])
  })
})

describe('reconcile()', () => {
  const state: State = { nftElements: [element] }

  test('looks again when somebody else made the same thing meanwhile', () => {
    let looks = 0
    const { kernel, calls } = recorder({
      'nftables.list': () => noRules,
      'nftables.element': () => (looks++ === 0 ? undefined : element.element),
      'nftables.commit': () => {
        throw new KernelError('EEXIST', 'create elements')
      },
    })
    assert.deepEqual(reconcile(kernel, state), [])
    assert.equal(calls.filter((call) => call.startsWith('nftables.commit')).length, 1)
  })

  test('gives up when it is refused again and again', () => {
    const { kernel, calls } = recorder({
      'nftables.commit': (_: readonly NftOperation[]) => {
        throw new KernelError('EBUSY', 'create elements')
      },
    })
    assert.throws(() => reconcile(kernel, state), { errno: 'EBUSY' })
    assert.equal(calls.filter((call) => call.startsWith('nftables.commit')).length, 10)
  })

  test('asks for nothing that the caller knows', () => {
    const { kernel, calls } = recorder()
    reconcile(kernel, { addresses: [{ link: 'eth0', prefix: '10.0.0.1/24' }] }, undefined, { addresses: [] })
    assert.deepEqual(calls, ['addresses.add [{"link":"eth0","prefix":"10.0.0.1/24"}]'])
  })
})
