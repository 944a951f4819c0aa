/** The model's ruleset against the kernel's: the same commits are refused with the same errno and leave the same behind. */
import assert from 'node:assert/strict'
import { inspect, isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeEach, test } from 'vitest'
import { KernelError } from '../../../src/kernel/errors.ts'
import {
  joinTypes,
  type Nftables,
  type NftChain,
  type NftElement,
  type NftExpression,
  type NftFamily,
  type NftOperation,
  type NftRuleset,
  type NftSet,
  NftType,
} from '../../../src/kernel/nftables.ts'
import { liveLinux } from '../../../src/linux/live.ts'
import { plainNamespace } from '../../model/netfilter/plain-namespace.ts'

const kernel = liveLinux()
afterAll(() => kernel.close())
beforeEach(() => deleteAll())

function deleteAll(): void {
  const { tables } = kernel.nftables.list()
  kernel.nftables.commit(tables.map((table): NftOperation => ({ operation: 'delete table', table })))
}

const families: readonly NftFamily[] = ['ip', 'inet', 'bridge', 'arp']
const chains = ['a', 'b', 'c']
const u32 = (value: number) => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)

type Base = NonNullable<NftChain['base']>
const base = fc.record({
  type: fc.constantFrom<Base['type']>('filter', 'filter', 'filter', 'nat', 'route'),
  hook: fc.constantFrom<Base['hook']>('input', 'output', 'input', 'output', 'postrouting', 'forward'),
  priority: fc.constantFrom(0, 10, -200, -199, 100),
  policy: fc.constantFrom<'accept' | 'drop'>('accept', 'drop'),
})
/** ARP has no such hook, which is the caller's mistake. */
const hooksOf = (family: NftFamily, { hook }: Base) => family !== 'arp' || ['input', 'output', 'forward'].includes(hook)

const sets: readonly Omit<NftSet, 'family' | 'table'>[] = [
  { name: 'plain', keyType: NftType.ipv4Address, keyLength: 4 },
  { name: 'plain', keyType: NftType.ipv4Address, keyLength: 4, size: 3 },
  { name: 'few', keyType: NftType.ipv4Address, keyLength: 4, size: 2 },
  { name: 'fixed', keyType: NftType.ipv4Address, keyLength: 4, constant: true },
  { name: 'timed', keyType: NftType.ipv4Address, keyLength: 4, timeout: 0 },
  { name: 'timed', keyType: NftType.ipv4Address, keyLength: 4, timeout: 3_600_000 },
  { name: 'ranges', keyType: NftType.ipv4Address, keyLength: 4, interval: true },
  { name: 'ranges', keyType: NftType.ipv4Address, keyLength: 4, interval: true, dynamic: true },
  {
    name: 'joined',
    keyType: joinTypes(NftType.ipv4Address, NftType.internetService),
    keyLength: 8,
    interval: true,
  },
  { name: 'verdicts', keyType: NftType.ipv4Address, keyLength: 4, data: { type: 'verdict' } },
  { name: 'marks', keyType: NftType.ipv4Address, keyLength: 4, data: { type: NftType.mark, length: 4 } },
  { name: 'own', keyType: NftType.ipv4Address, keyLength: 4, constant: true, anonymous: true },
  { name: 'wide', keyType: NftType.ipv6Address, keyLength: 16 },
]
const setNames = [...new Set(sets.map(({ name }) => name))]

const address = fc.integer({ min: 0, max: 7 }).map((low) => u32(0x0a000000 + low))
const joined = fc
  .tuple(address, fc.integer({ min: 0, max: 3 }))
  .map(([ip, port]) => Uint8Array.of(...ip, 0, port, 0, 0))
const verdict = fc.oneof(
  fc.constantFrom({ verdict: 'accept' }, { verdict: 'drop' }, { verdict: 'return' }, { verdict: 'continue' } as const),
  fc.record({ verdict: fc.constantFrom('jump', 'goto'), chain: fc.constantFrom(...chains) }),
) as fc.Arbitrary<Extract<NftElement['data'], { verdict: string }>>

/** Mostly such as the set wants. */
const elementOf = (name: string): fc.Arbitrary<NftElement> => {
  const key = name === 'joined' ? joined : name === 'wide' ? fc.constant(new Uint8Array(16)) : address
  const whole = fc.oneof({ weight: 12, arbitrary: key }, { weight: 1, arbitrary: fc.constant(new Uint8Array()) })
  const ranges = name === 'ranges' || name === 'joined'
  const end = (first: Uint8Array) =>
    ranges && first.length > 0
      ? fc.option(
          key.filter((last) => Buffer.compare(first, last) < (name === 'joined' ? 1 : 0)),
          { nil: undefined, freq: 5 },
        )
      : fc.constant(undefined)
  const hasRoomBehind = (first: Uint8Array) => name !== 'ranges' || first[3] !== 7
  return whole.filter(hasRoomBehind).chain((first) =>
    fc
      .tuple(
        end(first),
        name === 'verdicts' ? verdict : name === 'marks' ? address : fc.constant(undefined),
        fc.option(fc.constantFrom('one', 'two'), { nil: undefined, freq: 4 }),
        name === 'timed' ? fc.option(fc.constant(7_200_000), { nil: undefined }) : fc.constant(undefined),
      )
      .map(([keyEnd, data, comment, timeout]) => ({
        key: first,
        ...(keyEnd && { keyEnd }),
        ...(data && { data }),
        ...(comment && { comment }),
        ...(timeout && { timeout }),
      })),
  )
}

const load: NftExpression = { type: 'payload', base: 'network', offset: 12, length: 4, register: 1 }
const bodies: readonly (readonly NftExpression[])[] = [
  [],
  [load, { type: 'cmp', register: 1, operator: 'eq', value: u32(0x0a000001) }, { type: 'counter' }],
  [{ type: 'cmp', register: 1, operator: 'eq', value: u32(0) }],
  [load, { type: 'cmp', register: 2, operator: 'lt', value: u32(0) }],
  [
    { type: 'meta', key: 'iifname', register: 9 },
    { type: 'cmp', register: 9, operator: 'neq', value: u32(0) },
  ],
  [
    { type: 'meta', key: 'mark', register: 12 },
    { type: 'meta set', key: 'mark', source: 12 },
  ],
  [{ type: 'meta', key: 'l4proto', register: 24 }],
  [{ type: 'meta', key: 'len', register: 5 }],
  [{ type: 'payload', base: 'network', offset: 0, length: 20, register: 22 }],
  [{ type: 'verdict', verdict: 'drop' }],
  [{ type: 'verdict', verdict: 'other', code: 3 }],
  [{ type: 'verdict', verdict: 'other', code: 9 }],
  [load, { type: 'lookup', set: 'plain', source: 1 }],
  [load, { type: 'lookup', set: 'fixed', source: 1, inverted: true }],
  [load, { type: 'lookup', set: 'ranges', source: 1 }],
  [load, { type: 'lookup', set: 'own', source: 1 }],
  [load, { type: 'lookup', set: 'verdicts', source: 1, register: 0 }],
  [load, { type: 'lookup', set: 'verdicts', source: 1 }],
  [load, { type: 'lookup', set: 'verdicts', source: 1, register: 2 }],
  [load, { type: 'lookup', set: 'marks', source: 1, register: 2 }],
  [load, { type: 'lookup', set: 'marks', source: 1, register: 0 }],
  [load, { type: 'lookup', set: 'plain', source: 1, register: 2 }],
  [load, { type: 'lookup', set: 'wide', source: 1 }],
  [{ type: 'limit', rate: 0n, unit: 1n, burst: 5 }],
  [{ type: 'limit', rate: 10n, unit: 1n, burst: 0 }],
  [load, { type: 'range', register: 1, operator: 'eq', from: u32(1), to: u32(9) }],
  [load, { type: 'bitwise', source: 1, register: 1, mask: u32(0xffffff00), xor: u32(0) }],
  [{ type: 'ct', key: 'state', register: 1 }],
  [{ type: 'ct', key: 'src_ip', register: 1 }],
  [{ type: 'ct', key: 'src_ip', register: 1, direction: 'reply' }],
  [{ type: 'ct', key: 'proto_dst', register: 1, direction: 'original' }],
  [{ type: 'ct', key: 'mark', register: 1, direction: 'original' }],
  [{ type: 'masquerade' }],
  [
    { type: 'immediate', register: 1, value: u32(0x0a000001) },
    { type: 'nat', kind: 'snat', family: 'ip', addressMin: 1 },
  ],
  [{ type: 'redirect' }],
  [{ type: 'fib', result: 'type', flags: ['daddr'], register: 1 }],
  [{ type: 'fib', result: 'oif', flags: ['iif', 'saddr'], register: 1 }],
  [{ type: 'fib', result: 'oifname', flags: ['daddr', 'saddr'], register: 1 }],
  [{ type: 'reject', reject: 'icmp', code: 3 }],
  [{ type: 'reject', reject: 'icmpx', code: 1 }],
  [{ type: 'log', prefix: 'seen ' }],
  ...chains.map((chain): NftExpression[] => [{ type: 'verdict', verdict: 'jump', chain }]),
  ...chains.map((chain): NftExpression[] => [{ type: 'counter' }, { type: 'verdict', verdict: 'goto', chain }]),
]

/** This kernel has no nft_reject_bridge. */
const isThere = (family: NftFamily, expressions: readonly NftExpression[]) =>
  family !== 'bridge' || !expressions.some(({ type }) => type === 'reject')

/** An operation on the table, or how to find one: a rule is named by its place. */
type Plan = (family: NftFamily, place: (chain: string, at: number) => bigint) => NftOperation
const within = (family: NftFamily) => ({ family, table: 't' })
const verb = fc.constantFrom<'add' | 'create'>('add', 'add', 'add', 'create')

const plan: fc.Arbitrary<Plan> = fc.oneof(
  {
    weight: 1,
    arbitrary: verb.map(
      (it): Plan =>
        (family) => ({ operation: `${it} table`, table: { family, name: 't' } }),
    ),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(verb, fc.constantFrom(...chains), fc.option(base, { nil: undefined })).map(
      ([it, name, made]): Plan =>
        (family) => ({
          operation: `${it} chain`,
          chain: { ...within(family), name, ...(made && hooksOf(family, made) && { base: made }) },
        }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom<'delete chain' | 'flush chain'>('delete chain', 'flush chain'), fc.constantFrom(...chains))
      .map(
        ([operation, name]): Plan =>
          (family) => ({ operation, chain: { ...within(family), name } }),
      ),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(verb, fc.constantFrom(...sets)).map(
      ([it, set]): Plan =>
        (family) => ({ operation: `${it} set`, set: { ...within(family), ...set } }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom<'delete set' | 'flush set'>('delete set', 'flush set'), fc.constantFrom(...setNames))
      .map(
        ([operation, name]): Plan =>
          (family) => ({ operation, set: { ...within(family), name } }),
      ),
  },
  {
    weight: 10,
    arbitrary: fc.constantFrom(...setNames).chain((name) =>
      fc
        .tuple(
          fc.constantFrom<'add' | 'create' | 'delete'>('add', 'add', 'create', 'delete'),
          fc.array(elementOf(name), { minLength: 1, maxLength: 2 }),
        )
        .map(
          ([it, elements]): Plan =>
            (family) => ({ operation: `${it} elements`, set: { ...within(family), name }, elements }),
        ),
    ),
  },
  {
    weight: 14,
    arbitrary: fc
      .tuple(
        fc.constantFrom<'add rule' | 'insert rule'>('add rule', 'insert rule'),
        fc.constantFrom(...chains),
        fc.constantFrom(...bodies),
        fc.option(fc.nat(3), { nil: undefined, freq: 3 }),
      )
      .map(
        ([operation, chain, expressions, at]): Plan =>
          (family, place) => ({
            operation,
            rule: { ...within(family), chain, expressions: isThere(family, expressions) ? expressions : [] },
            ...(at !== undefined && { at: place(chain, at) }),
          }),
      ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(fc.constantFrom(...chains), fc.nat(3)).map(
      ([chain, at]): Plan =>
        (family, place) => ({ operation: 'delete rule', rule: { ...within(family), chain, handle: place(chain, at) } }),
    ),
  },
)

/** A rule with a set of its own, which must come in one commit. */
const ruleWithSet: fc.Arbitrary<Plan[]> = fc.constantFrom(...chains).map((chain) => [
  (family) => ({ operation: 'add set', set: { ...within(family), ...sets.find(({ anonymous }) => anonymous)! } }),
  (family) => ({
    operation: 'add elements',
    set: { ...within(family), name: 'own' },
    elements: [{ key: u32(0x0a000001) }],
  }),
  (family) => ({
    operation: 'add rule',
    rule: { ...within(family), chain, expressions: [load, { type: 'lookup', set: 'own', source: 1 }] },
  }),
])
const commit = fc.oneof(
  { weight: 8, arbitrary: fc.array(plan, { minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: ruleWithSet },
)

/** Elements of a hash have no order. */
function settled({ sets: listed, ...rest }: NftRuleset): unknown {
  const byKey = (a: NftElement, b: NftElement) => Buffer.compare(a.key, b.key)
  return { ...rest, sets: listed.map((set) => ({ ...set, elements: set.elements.toSorted(byKey) })) }
}

function differences(left: unknown, expected: unknown): string {
  return `the model has ${inspect(left, { depth: 9 })}\nthe kernel has ${inspect(expected, { depth: 9 })}`
}

function outcome(nftables: Nftables, operations: readonly NftOperation[]): string {
  try {
    nftables.commit(operations)
    return 'done'
  } catch (error) {
    if (error instanceof KernelError) return error.message
    throw error
  }
}

test('a commit that the kernel refuses, the model refuses, and both list the same then', () => {
  fc.assert(
    fc.property(fc.constantFrom(...families), fc.array(commit, { minLength: 4, maxLength: 25 }), (family, commits) => {
      deleteAll()
      const model = plainNamespace().namespace.nftables
      const story: string[] = []
      const first: NftOperation = { operation: 'add table', table: { family, name: 't' } }
      for (const each of [kernel.nftables, model]) each.commit([first])
      for (const plans of commits) {
        const place = (chain: string, at: number) =>
          kernel.nftables.rules({ family, table: 't', name: chain })[at]?.handle ?? 999n
        const operations = plans.map((it) => it(family, place))
        const wanted = outcome(kernel.nftables, operations)
        story.push(`${inspect(operations, { depth: 9, breakLength: 120 })} → ${wanted}`)
        assert.equal(outcome(model, operations), wanted, story.join('\n'))
        const [left, expected] = [model.list(), kernel.nftables.list()].map(settled)
        assert.ok(isDeepStrictEqual(left, expected), `${story.join('\n')}\n${differences(left, expected)}`)
      }
    }),
    { numRuns: Number(process.env.MODEL_RULESET_RUNS ?? 60) },
  )
})
