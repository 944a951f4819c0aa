/** What the machine does with a chain: order, jumps, policies, and what it tells of it. Expressions: test/linux/netfilter/model-packets. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { NftExpression, NftOperation } from '../../../src/kernel/nftables.ts'
import type { Device } from '../../../src/model/device/device.ts'
import type { Namespace } from '../../../src/model/namespace.ts'
import { Hook, runDeviceHook, runHook } from '../../../src/model/netfilter/hooks.ts'
import { Journey } from '../../../src/model/observer.ts'
import type { Packet } from '../../../src/model/packet.ts'
import { addPlug, plainNamespace, received } from './plain-namespace.ts'

// 10.0.0.7:4000 → 10.0.0.1:53, one byte of UDP without a checksum.
const UDP = '020000000002 020000000001 0800 4500001d00010000401166c8 0a000007 0a000001 0fa0003500090000 78'

type Verdicts = 'accept' | 'drop' | 'return' | 'continue'
const is = (verdict: Verdicts): NftExpression => ({ type: 'verdict', verdict })
const to = (verdict: 'jump' | 'goto', chain: string): NftExpression => ({ type: 'verdict', verdict, chain })
const mark = (value: number): NftExpression[] => [
  { type: 'immediate', register: 1, value: Uint8Array.of(value, 0, 0, 0) },
  { type: 'meta set', key: 'mark', source: 1 },
]
const count: NftExpression = { type: 'counter' }
const fromPort = (port: number): NftExpression[] => [
  { type: 'payload', base: 'transport', offset: 0, length: 2, register: 1 },
  { type: 'cmp', register: 1, operator: 'eq', value: Uint8Array.of(port >> 8, port & 0xff) },
]

interface World {
  readonly namespace: Namespace
  readonly device: Device
  commit(...operations: NftOperation[]): void
  /** Rules of chains; `base` is called at forward. */
  load(
    chains: Record<string, readonly (readonly NftExpression[])[]>,
    policy?: 'accept' | 'drop',
    priority?: number,
  ): void
  /** Whether it goes on. */
  pass(follow?: boolean): { readonly packet: Packet; readonly passed: boolean }
}

function world(): World {
  const { namespace } = plainNamespace()
  const device = addPlug(namespace, 'eth0')
  const { nftables } = namespace
  let tables = 0
  return {
    namespace,
    device,
    commit: (...operations) => nftables.commit(operations),
    load(chains, policy = 'accept', priority = 0) {
      const table = `t${tables++}`
      const name = { family: 'ip', table } as const
      const base = { type: 'filter', hook: 'forward', priority, policy } as const
      nftables.commit([
        { operation: 'add table', table: { family: 'ip', name: table } },
        ...Object.keys(chains).map(
          (chain): NftOperation => ({
            operation: 'add chain',
            chain: { ...name, name: chain, ...(chain === 'base' && { base }) },
          }),
        ),
        ...Object.entries(chains).flatMap(([chain, rules]) =>
          rules.map((expressions): NftOperation => ({ operation: 'add rule', rule: { ...name, chain, expressions } })),
        ),
      ])
    },
    pass(follow = false) {
      const packet = received(UDP, device)
      if (follow) packet.journey = new Journey('injected')
      return { packet, passed: runHook(namespace, 'ip', Hook.forward, packet, device, device) }
    },
  }
}

test('the first rule that decides ends the chain', () => {
  const { load, pass } = world()
  load({ base: [mark(1), [...fromPort(9), is('drop')], [...fromPort(4000), is('accept')], [...mark(2), is('drop')]] })
  const { packet, passed } = pass()
  assert.equal(passed, true)
  assert.equal(packet.mark, 1)
})

test('a rule whose condition does not hold has no effect behind that condition', () => {
  const { load, pass, namespace } = world()
  load({ base: [[count, ...fromPort(9), count, ...mark(5)]] })
  assert.equal(pass().packet.mark, 0)
  const [rule] = namespace.nftables.list().rules
  const counters = rule!.expressions.filter(({ type }) => type === 'counter')
  assert.deepEqual(counters, [
    { type: 'counter', packets: 1n, bytes: 29n },
    { type: 'counter', packets: 0n, bytes: 0n },
  ])
})

test('jump comes back behind its rule, at the end of the chain and on return', () => {
  for (const last of [[], [is('return')]]) {
    const { load, pass } = world()
    load(
      { a: [mark(1), last, ...(last.length > 0 ? [mark(9)] : [])], base: [[to('jump', 'a')], [is('accept')]] },
      'drop',
    )
    const { packet, passed } = pass()
    assert.equal(passed, true)
    assert.equal(packet.mark, 1)
  }
})

test('goto does not come back: the policy decides', () => {
  const { load, pass } = world()
  load({ a: [mark(1)], base: [[to('goto', 'a')], [is('accept')]] }, 'drop')
  const { packet, passed } = pass()
  assert.equal(passed, false)
  assert.equal(packet.mark, 1)
})

test('goto from a chain that was jumped to comes back to where the jump was', () => {
  const { load, pass } = world()
  load({ b: [mark(2)], a: [[to('goto', 'b')], [is('drop')]], base: [[to('jump', 'a')], [is('accept')]] }, 'drop')
  const { packet, passed } = pass()
  assert.equal(passed, true)
  assert.equal(packet.mark, 2)
})

test('return in a base chain is its policy, continue is the next rule', () => {
  const { load, pass } = world()
  load({ base: [[is('continue')], mark(3), [is('return')], [is('accept')]] }, 'drop')
  const { packet, passed } = pass()
  assert.equal(passed, false)
  assert.equal(packet.mark, 3)
})

test('accept ends its own chain only, and chains are asked by priority, the youngest of a priority first', () => {
  const { load, pass } = world()
  load({ base: [[...mark(1), is('accept')]] }, 'accept', 10)
  load(
    {
      base: [
        [
          { type: 'meta', key: 'mark', register: 1 },
          { type: 'cmp', register: 1, operator: 'eq', value: Uint8Array.of(2, 0, 0, 0) },
          is('drop'),
        ],
      ],
    },
    'accept',
    10,
  )
  load({ base: [[...mark(2), is('accept')]] }, 'accept', -10)
  assert.equal(pass().passed, false)
})

test('a drop names the rule or the policy that it is by', () => {
  const seen: unknown[] = []
  for (const base of [[[is('drop')]], []] as const) {
    const { load, pass, namespace } = world()
    namespace.model.onDrop = (_packet, { reason, kernel, ref }) => seen.push([reason, kernel, ref])
    load({ base }, 'drop')
    assert.equal(pass().passed, false)
  }
  assert.deepEqual(seen, [
    ['NETFILTER_DROP', 'nft_do_chain', 'rule ip t0 base handle 2'],
    ['NETFILTER_DROP', 'nft_do_chain', 'chain ip t0 base policy drop'],
  ])
})

test('a journey tells each rule that matched, and what the chain came to', () => {
  const { load, pass } = world()
  load({ a: [[...fromPort(9)], mark(1)], base: [[to('jump', 'a')], [...fromPort(9), is('drop')]] })
  const { packet } = pass(true)
  assert.deepEqual(
    packet.journey!.steps.map(({ stage, ref, verdict }) => [stage, ref, verdict]),
    [
      ['rule', 'rule ip t0 base handle 5', 'jump'],
      ['rule', 'rule ip t0 a handle 4', 'continue'],
      ['rule', 'chain ip t0 base policy accept', 'accept'],
    ],
  )
})

test('what is not modelled ends the packet by name', () => {
  const { load, pass, namespace } = world()
  const things: string[] = []
  namespace.model.onUnsupported = (_packet, thing) => things.push(thing)
  load({ base: [[{ type: 'other', name: 'quota', data: new Uint8Array() }], [is('accept')]] })
  assert.equal(pass().passed, false)
  assert.deepEqual(things, ['nft expression quota'])
})

test('counters go on from where they were, and a policy counts where it is told to', () => {
  const { commit, pass, namespace } = world()
  const name = { family: 'ip', table: 't' } as const
  const base = { type: 'filter', hook: 'forward', priority: 0, counter: { packets: 7n, bytes: 70n } } as const
  commit(
    { operation: 'add table', table: { family: 'ip', name: 't' } },
    { operation: 'add chain', chain: { ...name, name: 'c', base } },
    {
      operation: 'add rule',
      rule: { ...name, chain: 'c', expressions: [{ type: 'counter', packets: 10n, bytes: 2n ** 60n }] },
    },
  )
  pass()
  const { chains, rules } = namespace.nftables.list()
  assert.deepEqual(chains[0]!.base?.counter, { packets: 8n, bytes: 99n })
  assert.deepEqual(rules[0]!.expressions, [{ type: 'counter', packets: 11n, bytes: 2n ** 60n + 29n }])
})

test('limit lets a burst pass, then as many as come in by the rate', () => {
  const { load, pass, namespace } = world()
  load({ base: [[{ type: 'limit', rate: 10n, unit: 1n, burst: 5 }, is('accept')]] }, 'drop')
  const passing = (packets: number) => Array.from({ length: packets }, () => pass().passed).filter(Boolean).length
  assert.equal(passing(20), 5)
  namespace.model.advance(300_000)
  assert.equal(passing(20), 3)
  namespace.model.advance(60_000_000)
  assert.equal(passing(20), 5)
})

test('elements of a set go when their time is over, and those that a rule adds live as long', () => {
  const { commit, pass, namespace } = world()
  const name = { family: 'ip', table: 't' } as const
  const set = { ...name, name: 'seen', keyType: 7, keyLength: 4, timeout: 2000, dynamic: true } as const
  // add @seen { ip saddr }: NFTA_DYNSET_SET_NAME, _OP add, _SREG_KEY 1
  const add = Uint8Array.of(
    9,
    0,
    1,
    0,
    ...Buffer.from('seen\0'),
    0,
    0,
    0,
    8,
    0,
    3,
    0,
    0,
    0,
    0,
    0,
    8,
    0,
    4,
    0,
    0,
    0,
    0,
    1,
  )
  const source: NftExpression = { type: 'payload', base: 'network', offset: 12, length: 4, register: 1 }
  commit(
    { operation: 'add table', table: { family: 'ip', name: 't' } },
    { operation: 'add set', set },
    { operation: 'add chain', chain: { ...name, name: 'c', base: { type: 'filter', hook: 'forward', priority: 0 } } },
    {
      operation: 'add rule',
      rule: { ...name, chain: 'c', expressions: [source, { type: 'lookup', set: 'seen', source: 1 }, is('drop')] },
    },
    {
      operation: 'add rule',
      rule: { ...name, chain: 'c', expressions: [source, { type: 'other', name: 'dynset', data: add }] },
    },
  )
  assert.equal(pass().passed, true)
  assert.equal(pass().passed, false)
  assert.deepEqual(namespace.nftables.elements(set), [{ key: Uint8Array.of(10, 0, 0, 7) }])
  namespace.model.advance(2_000_000)
  assert.deepEqual(namespace.nftables.elements(set), [])
  assert.equal(pass().passed, true)
})

test('a verdict map leads where its element says, and nowhere without one', () => {
  const { commit, pass } = world()
  const name = { family: 'ip', table: 't' } as const
  const set = { ...name, name: 'm' }
  const key = Uint8Array.of(10, 0, 0, 7)
  commit(
    { operation: 'add table', table: { family: 'ip', name: 't' } },
    { operation: 'add chain', chain: { ...name, name: 'a' } },
    { operation: 'add set', set: { ...set, keyType: 7, keyLength: 4, data: { type: 'verdict' } } },
    { operation: 'add chain', chain: { ...name, name: 'c', base: { type: 'filter', hook: 'forward', priority: 0 } } },
    { operation: 'add rule', rule: { ...name, chain: 'a', expressions: [is('drop')] } },
    {
      operation: 'add rule',
      rule: {
        ...name,
        chain: 'c',
        expressions: [
          { type: 'payload', base: 'network', offset: 12, length: 4, register: 1 },
          { type: 'lookup', set: 'm', source: 1, register: 0 },
        ],
      },
    },
  )
  assert.equal(pass().passed, true)
  commit({ operation: 'add elements', set, elements: [{ key, data: { verdict: 'jump', chain: 'a' } }] })
  assert.equal(pass().passed, false)
  commit({ operation: 'delete elements', set, elements: [{ key }] })
  assert.equal(pass().passed, true)
})

test('a rule that asks for connections turns tracking on, its deletion off, a refused commit neither', () => {
  const { namespace, tracking } = plainNamespace()
  const { nftables } = namespace
  const name = { family: 'inet', table: 't' } as const
  const rule: NftOperation = {
    operation: 'add rule',
    rule: { ...name, chain: 'c', expressions: [{ type: 'ct', key: 'state', register: 1 }] },
  }
  const made: NftOperation[] = [
    { operation: 'add table', table: { family: 'inet', name: 't' } },
    { operation: 'add chain', chain: { ...name, name: 'c' } },
  ]
  assert.throws(() => nftables.commit([...made, rule, { operation: 'delete chain', chain: { ...name, name: 'x' } }]))
  assert.deepEqual(tracking.users, { ip: 0, ip6: 0 })
  nftables.commit([...made, rule, rule])
  assert.deepEqual(tracking.users, { ip: 2, ip6: 2 })
  nftables.commit([{ operation: 'flush chain', chain: { ...name, name: 'c' } }])
  assert.deepEqual(tracking.users, { ip: 0, ip6: 0 })
  nftables.commit([rule, { operation: 'delete table', table: { family: 'inet', name: 't' } }])
  assert.deepEqual(tracking.users, { ip: 0, ip6: 0 })
})

test('a nat chain is given to translation, not to the hooks', () => {
  const { namespace, tracking } = plainNamespace()
  const base = { type: 'nat', hook: 'prerouting', priority: -100 } as const
  namespace.nftables.commit([
    { operation: 'add table', table: { family: 'ip', name: 'nat' } },
    { operation: 'add chain', chain: { family: 'ip', table: 'nat', name: 'PREROUTING', base } },
  ])
  assert.deepEqual(tracking.natChains, ['ip: nft ip nat PREROUTING'])
  assert.equal(namespace.hooks.ip.has(Hook.prerouting), false)
  namespace.nftables.commit([{ operation: 'delete table', table: { family: 'ip', name: 'nat' } }])
  assert.deepEqual(tracking.natChains, [])
})

test('a chain of a device is called there, from when the device comes until it goes', () => {
  const { namespace } = plainNamespace()
  const name = { family: 'netdev', table: 't' } as const
  const base = { type: 'filter', hook: 'ingress', priority: 0, device: 'eth0', policy: 'drop' } as const
  namespace.nftables.commit([
    { operation: 'add table', table: { family: 'netdev', name: 't' } },
    { operation: 'add chain', chain: { ...name, name: 'c', base } },
  ])
  const other = addPlug(namespace, 'eth1')
  const device = addPlug(namespace, 'eth0')
  assert.equal(other.ingress, undefined)
  assert.equal(runDeviceHook(device.ingress!, received(UDP, device), device, undefined), false)
  namespace.nftables.deviceRemoved(device)
  assert.equal(device.ingress, undefined)
})
