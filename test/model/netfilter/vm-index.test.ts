/** Chains whose rules are found by a field's value, beside the same chains walked rule by rule. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import type { NftExpression, NftOperation } from '../../../src/kernel/nftables.ts'
import { Hook, runHook } from '../../../src/model/netfilter/hooks.ts'
import { addPlug, plainNamespace, received } from './plain-namespace.ts'

const name = { family: 'ip', table: 't' } as const

const payload = (offset: number, length: number, base: 'network' | 'transport' = 'network'): NftExpression => ({
  type: 'payload',
  base,
  offset,
  length,
  register: 1,
})
const is = (...value: number[]): NftExpression => ({
  type: 'cmp',
  register: 1,
  operator: 'eq',
  value: Uint8Array.from(value),
})
const small = fc.integer({ min: 0, max: 12 })

/** Tests that can be indexed, and some that cannot. */
const condition: fc.Arbitrary<NftExpression[]> = fc.oneof(
  { weight: 20, arbitrary: small.map((last) => [payload(12, 4), is(10, 0, 0, last)]) },
  { weight: 2, arbitrary: small.map((last) => [payload(16, 4), is(10, 0, 0, last)]) },
  {
    weight: 2,
    arbitrary: small.map((last): NftExpression[] => [
      payload(16, 4),
      { type: 'bitwise', source: 1, register: 1, mask: Uint8Array.of(255, 255, 255, 254), xor: new Uint8Array(4) },
      is(10, 0, 0, last & ~1),
    ]),
  },
  { weight: 3, arbitrary: small.map((port) => [payload(2, 2, 'transport'), is(0, port)]) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('eth0', 'eth1')
      .map((link): NftExpression[] => [
        { type: 'meta', key: 'iifname', register: 1 },
        is(...Buffer.from(link.padEnd(16, '\0'))),
      ]),
  },
  {
    weight: 1,
    arbitrary: small.map((last): NftExpression[] => [
      payload(12, 4),
      { type: 'cmp', register: 1, operator: 'neq', value: Uint8Array.of(10, 0, 0, last) },
    ]),
  },
)
const markAdded: NftExpression[] = [
  { type: 'meta', key: 'mark', register: 2 },
  { type: 'bitwise', source: 2, register: 2, mask: Uint8Array.of(255, 255, 255, 255), xor: Uint8Array.of(1, 0, 0, 0) },
  { type: 'meta set', key: 'mark', source: 2 },
]
const action: fc.Arbitrary<NftExpression[]> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<NftExpression[]>([]) },
  { weight: 3, arbitrary: fc.constant(markAdded) },
  { weight: 1, arbitrary: fc.constant<NftExpression[]>([{ type: 'verdict', verdict: 'drop' }]) },
  { weight: 1, arbitrary: fc.constant<NftExpression[]>([{ type: 'verdict', verdict: 'accept' }]) },
  { weight: 2, arbitrary: fc.constant<NftExpression[]>([{ type: 'verdict', verdict: 'jump', chain: 'other' }]) },
  { weight: 1, arbitrary: fc.constant<NftExpression[]>([{ type: 'verdict', verdict: 'return' }]) },
)
const rule = fc
  .tuple(fc.array(condition, { minLength: 1, maxLength: 3 }), action)
  .map(([conditions, then]) => [...conditions.flat(), { type: 'counter' } as const, ...then])
const chain = fc.array(rule, { maxLength: 40 })

const frame = fc
  .tuple(small, small, small)
  .map(
    ([source, destination, port]) =>
      `020000000002 020000000001 0800 4500001c00010000 4011 0000 0a0000${hex(source)} 0a0000${hex(destination)} 0fa000${hex(port)}00080000`,
  )

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}

/** `walked`: a counter stands first in each rule, which must not be passed over. */
function run(
  chains: readonly (readonly (readonly NftExpression[])[])[],
  frames: readonly string[],
  walked: boolean,
): unknown {
  const { namespace } = plainNamespace()
  const device = addPlug(namespace, 'eth0')
  const first: NftExpression[] = walked ? [{ type: 'counter' }] : []
  const [base = [], other = []] = chains
  const rules = (into: string, list: readonly (readonly NftExpression[])[]) =>
    list.map(
      (expressions): NftOperation => ({
        operation: 'add rule',
        rule: { ...name, chain: into, expressions: [...first, ...expressions] },
      }),
    )
  namespace.nftables.commit([
    { operation: 'add table', table: { family: 'ip', name: 't' } },
    { operation: 'add chain', chain: { ...name, name: 'other' } },
    {
      operation: 'add chain',
      chain: { ...name, name: 'base', base: { type: 'filter', hook: 'forward', priority: 0 } },
    },
    ...rules(
      'other',
      other.map((list) => list.filter((it) => it.type !== 'verdict' || it.verdict !== 'jump')),
    ),
    ...rules('base', base),
  ])
  const fates = frames.map((each) => {
    const packet = received(each, device)
    return [runHook(namespace, 'ip', Hook.forward, packet, device, device), packet.mark]
  })
  const counts = namespace.nftables
    .list()
    .rules.map(({ expressions }) => expressions.findLast(({ type }) => type === 'counter'))
  return { fates, counts }
}

test('a chain that is looked up does to each packet what the walk through it does', () => {
  fc.assert(
    fc.property(chain, chain, fc.array(frame, { minLength: 1, maxLength: 20 }), (base, other, frames) => {
      assert.deepEqual(run([base, other], frames, false), run([base, other], frames, true))
    }),
    { numRuns: 150 },
  )
})
