/** Whatever a kernel to come sends: a value or a DecodeError. And what we write we read back. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import type { NftElement, NftExpression } from '../../../src/kernel/nftables.ts'
import { decodeChain } from '../../../src/linux/netfilter/chain.ts'
import { decodeComment } from '../../../src/linux/netfilter/comment.ts'
import { decodeConnection } from '../../../src/linux/netfilter/conntrack.ts'
import { decodeElements, encodeElements, joinRanges, splitRanges } from '../../../src/linux/netfilter/element.ts'
import { decodeExpression, encodeExpression } from '../../../src/linux/netfilter/expression.ts'
import { decodeFamily } from '../../../src/linux/netfilter/header.ts'
import { decodeRule } from '../../../src/linux/netfilter/rule.ts'
import { decodeSet } from '../../../src/linux/netfilter/set.ts'
import { decodeTable } from '../../../src/linux/netfilter/table.ts'
import { Attributes } from '../../../src/linux/netlink/attribute.ts'
import { MessageWriter } from '../../../src/linux/netlink/message.ts'
import { DecodeError } from '../../../src/wire/errors.ts'

const NETLINK_HEADER = 16

/** Attributes in attributes, with the numbers and lengths that ours have: noise gets past the first check only so. */
const attributes = fc.letrec<{ list: Uint8Array; value: Uint8Array }>((tie) => ({
  value: fc.oneof(
    { weight: 3, arbitrary: fc.uint8Array({ maxLength: 8 }) },
    fc
      .constantFrom('meta', 'cmp', 'immediate', 'nat', 'lookup', 'limit')
      .map((name) => new Uint8Array(Buffer.from(name))),
    tie('list'),
  ),
  list: fc
    .array(fc.tuple(fc.integer({ min: 0, max: 20 }), tie('value')), { maxLength: 5 })
    .map((list) => write((to) => list.forEach(([type, value]) => void to.attribute(type, value)))),
}))

const decoders: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  decodeTable: (bytes) => decodeTable('inet', new Attributes(bytes)),
  decodeChain: (bytes) => decodeChain('inet', new Attributes(bytes)),
  decodeSet: (bytes) => decodeSet('inet', new Attributes(bytes)),
  decodeRule: (bytes) => decodeRule('inet', new Attributes(bytes)),
  decodeElements: (bytes) => decodeElements(new Attributes(bytes)),
  decodeExpression,
  decodeComment: (bytes) => decodeComment(bytes, 7),
  decodeFamily,
  decodeConnection: (bytes) => decodeConnection(Uint8Array.of(2, 0, 0, 0, ...bytes)),
}

for (const [name, decode] of Object.entries(decoders)) {
  test(`${name}() answers any bytes with a value or a DecodeError`, () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), attributes.list), (bytes) => {
        try {
          decode(bytes)
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error))
        }
      }),
      { numRuns: 2000 },
    )
  })
}

const register = fc.integer({ min: 1, max: 4 })
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const bytes = fc.uint8Array({ minLength: 1, maxLength: 16 })
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const u64 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })

const expression: fc.Arbitrary<NftExpression> = fc
  .oneof(
    fc.record({ type: fc.constant('meta'), key: fc.constantFrom('mark', 'iifname', 'cgroup'), register }),
    fc.record({ type: fc.constant('meta set'), key: fc.constantFrom('mark', 'priority'), source: register }),
    fc.record({
      type: fc.constant('payload'),
      base: fc.constantFrom('link', 'transport'),
      offset: u32,
      length: u32,
      register,
    }),
    fc.record({ type: fc.constant('cmp'), register, operator: fc.constantFrom('eq', 'lt', 'gte'), value: bytes }),
    fc.record({ type: fc.constant('bitwise'), source: register, register, mask: bytes, xor: bytes }),
    fc.record({
      type: fc.constant('lookup'),
      set: fc.constant('s'),
      source: register,
      register: maybe(register),
      inverted: maybe(fc.constant(true)),
    }),
    fc.record({ type: fc.constant('immediate'), register, value: bytes }),
    fc.record({ type: fc.constant('verdict'), verdict: fc.constantFrom('jump', 'goto'), chain: fc.constant('c') }),
    fc.record({ type: fc.constant('verdict'), verdict: fc.constantFrom('accept', 'continue', 'return') }),
    fc.record({ type: fc.constant('verdict'), verdict: fc.constant('other'), code: fc.constantFrom(3, -2, 0x10003) }),
    fc.record({ type: fc.constant('counter'), packets: maybe(u64), bytes: maybe(u64) }),
    fc.record({
      type: fc.constant('ct'),
      key: fc.constantFrom('state', 'zone'),
      register,
      direction: maybe(fc.constantFrom('original', 'reply')),
    }),
    fc.record({
      type: fc.constant('fib'),
      result: fc.constantFrom('oif', 'type'),
      flags: fc.subarray(['saddr', 'mark', 'present']),
      register,
    }),
    fc.record({
      type: fc.constant('reject'),
      reject: fc.constantFrom('icmp', 'icmpx'),
      code: fc.integer({ min: 0, max: 255 }),
    }),
    fc.record({
      type: fc.constant('limit'),
      rate: u64,
      unit: u64,
      burst: u32,
      over: maybe(fc.constant(true)),
      bytes: maybe(fc.constant(true)),
    }),
    fc.record({ type: fc.constant('other'), name: fc.constant('numgen'), data: attributes.list }),
  )
  .map((value) => Object.fromEntries(Object.entries(value).filter(([, it]) => it !== undefined)) as NftExpression)

test('an expression comes back as it was written', () => {
  fc.assert(
    fc.property(expression, (given) => {
      const first = decodeExpression(write((to) => encodeExpression(to, given)))
      assert.deepEqual(first, given)
    }),
    { numRuns: 1000 },
  )
})

test('whatever bytes an expression was read from, it is read from its own again', () => {
  fc.assert(
    fc.property(attributes.list, (data) => {
      try {
        const first = decodeExpression(data)
        assert.deepEqual(decodeExpression(write((to) => encodeExpression(to, first))), first)
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})

test('a register that has two numbers is read by the lower one', () => {
  const rows = [
    [8, 1],
    [12, 2],
    [16, 3],
    [20, 4],
    [9, 9],
    [23, 23],
    [3, 3],
  ] as const
  for (const [written, read] of rows) {
    const given: NftExpression = { type: 'meta', key: 'mark', register: written }
    const bytes = write((to) => encodeExpression(to, given))
    assert.deepEqual(decodeExpression(bytes), { ...given, register: read })
  }
})

describe('joinRanges()', () => {
  const key = (number: number) => Uint8Array.of(number)

  test('takes apart what splitRanges() puts together, in whatever order it comes', () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 0, max: 255 }), { minLength: 2, maxLength: 12 })
    fc.assert(
      fc.property(cuts, fc.infiniteStream(fc.nat()), (numbers, chance) => {
        const sorted = numbers.toSorted((a, b) => a - b)
        const ranges: NftElement[] = []
        for (let i = 0; i + 1 < sorted.length; i += 2) {
          ranges.push({ key: key(sorted[i]!), keyEnd: key(sorted[i + 1]!) })
        }
        const shuffled = splitRanges(ranges)
          .map((element) => ({ element, place: chance.next().value }))
          .sort((a, b) => a.place - b.place)
          .map(({ element }) => element)
        assert.deepEqual(joinRanges(shuffled), ranges)
      }),
    )
  })

  test('leaves a range open that reaches to the last key, and ranges apart that touch', () => {
    const ends = (number: number): NftElement => ({ key: key(number), intervalEnd: true })
    const kernels = [ends(0), { key: key(10) }, ends(20), { key: key(20) }, ends(30), { key: key(200) }]
    assert.deepEqual(joinRanges(kernels.toReversed()), [
      { key: key(10), keyEnd: key(20) },
      { key: key(20), keyEnd: key(30) },
      { key: key(200) },
    ])
  })
})

test('elements come back as they were written', () => {
  const elements: NftElement[] = [
    { key: Uint8Array.of(1, 2), comment: 'one' },
    { key: Uint8Array.of(1, 3), keyEnd: Uint8Array.of(1, 9), timeout: 5000 },
    { key: Uint8Array.of(1, 4), data: Uint8Array.of(7) },
    { key: Uint8Array.of(1, 5), data: { verdict: 'goto', chain: 'c' } },
    { key: Uint8Array.of(1, 6), intervalEnd: true },
    { key: new Uint8Array() },
  ]
  const written = write((to) => encodeElements(to, { table: 't', name: 's' }, elements))
  assert.deepEqual(decodeElements(new Attributes(written)), elements)
})

function write(body: (to: MessageWriter) => unknown): Uint8Array {
  const writer = new MessageWriter().message(0, 0)
  body(writer)
  return writer.finish().subarray(NETLINK_HEADER)
}
