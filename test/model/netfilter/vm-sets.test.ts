/** Sets beside a twin that keeps a list and looks through all of it. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { isErrno } from '../../../src/kernel/errors.ts'
import { joinTypes, type NftElement, type NftSet, NftType } from '../../../src/kernel/nftables.ts'
import { plainNamespace } from './plain-namespace.ts'

const name = { family: 'ip', table: 't', name: 's' } as const
const HIGHEST = 12

/** What a set is to its twin: whether an element is for a key, and whether two cannot both be. */
interface Twin {
  readonly set: NftSet
  readonly element: fc.Arbitrary<NftElement>
  readonly keys: readonly Uint8Array[]
  holds(element: NftElement, key: Uint8Array): boolean
  clash(a: NftElement, b: NftElement): boolean
}

const numbers = Array.from({ length: HIGHEST + 1 }, (_, n) => n)
const number = fc.integer({ min: 0, max: HIGHEST })
const wide = (n: number, length: number) => Uint8Array.of(...new Array(length - 1).fill(7), n)
const last = (key: Uint8Array) => key[key.length - 1]!
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0

const hashes = [2, 4, 16].map(
  (length): Twin => ({
    set: { ...name, keyType: NftType.integer, keyLength: length },
    element: number.map((n) => ({ key: wide(n, length) })),
    keys: numbers.map((n) => wide(n, length)),
    holds: ({ key }, wanted) => same(key, wanted),
    clash: ({ key }, other) => same(key, other.key),
  }),
)

const end = ({ keyEnd }: NftElement) => (keyEnd ? last(keyEnd) : HIGHEST + 1)
const ranges = [4, 16].map(
  (length): Twin => ({
    set: { ...name, keyType: NftType.integer, keyLength: length, interval: true },
    element: fc
      .tuple(number, fc.integer({ min: 1, max: 5 }))
      .map(([n, size]) => ({ key: wide(n, length), keyEnd: wide(n + size, length) })),
    keys: numbers.map((n) => wide(n, length)),
    holds: (element, key) => last(element.key) <= last(key) && last(key) < end(element),
    clash: (a, b) => last(a.key) < end(b) && last(b.key) < end(a),
  }),
)

const pair = (a: number, b: number) => Uint8Array.of(10, 0, 0, a, 0, b, 0, 0)
const inBox = ({ key, keyEnd = key }: NftElement, wanted: Uint8Array) =>
  [3, 5].every((at) => key[at]! <= wanted[at]! && wanted[at]! <= keyEnd[at]!)
const boxes: Twin = {
  set: { ...name, keyType: joinTypes(NftType.ipv4Address, NftType.internetService), keyLength: 8, interval: true },
  element: fc
    .tuple(number, number, fc.nat(3), fc.nat(3))
    .map(([a, b, width, height]) => ({ key: pair(a, b), keyEnd: pair(a + width, b + height) })),
  keys: numbers.flatMap((a) => numbers.map((b) => pair(a, b))),
  holds: inBox,
  // nft_set_pipapo refuses one whose corners are in another, and takes a cross.
  clash: (there, added) => inBox(there, added.key) || inBox(there, added.keyEnd ?? added.key),
}

const twins: readonly (readonly [string, Twin])[] = [
  ...hashes.map((twin) => [`of keys of ${twin.set.keyLength} bytes`, twin] as const),
  ...ranges.map((twin) => [`of ranges of ${twin.set.keyLength} bytes`, twin] as const),
  ['of concatenated ranges', boxes],
]

for (const [kind, { set, element, keys, holds, clash }] of twins) {
  test(`a set ${kind} finds what a list of its elements holds`, () => {
    const step = fc.record({ verb: fc.constantFrom('create', 'create', 'delete'), element })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const { nftables } = plainNamespace().namespace
        nftables.commit([
          { operation: 'add table', table: { family: 'ip', name: 't' } },
          { operation: 'add set', set },
        ])
        const list: NftElement[] = []
        const isIt = (a: NftElement) => (b: NftElement) =>
          same(a.key, b.key) && same(a.keyEnd ?? a.key, b.keyEnd ?? b.key)
        for (const { verb, element: chosen } of steps) {
          const at = list.findIndex(isIt(chosen))
          const refusal = verb === 'delete' ? at < 0 && 'ENOENT' : list.some((each) => clash(each, chosen)) && 'EEXIST'
          const operation = verb === 'delete' ? 'delete elements' : 'create elements'
          try {
            nftables.commit([{ operation, set: name, elements: [chosen] }])
            assert.equal(refusal, false)
            if (verb === 'delete') list.splice(at, 1)
            else list.push(chosen)
          } catch (error) {
            if (refusal === false || !isErrno(error, refusal)) throw error
          }
        }
        for (const key of keys)
          assert.deepEqual(
            nftables.element(name, key),
            list.find((each) => holds(each, key)),
          )
        assert.equal(nftables.elements(name).length, list.length)
      }),
      { numRuns: 60 },
    )
  })
}

test('a refused commit leaves a set as it was', () => {
  fc.assert(
    fc.property(
      fc.array(number, { maxLength: 8 }),
      fc.array(number, { minLength: 1, maxLength: 8 }),
      (before, after) => {
        const { nftables } = plainNamespace().namespace
        const elements = (list: readonly number[]) => list.map((n): NftElement => ({ key: wide(n, 4) }))
        nftables.commit([
          { operation: 'add table', table: { family: 'ip', name: 't' } },
          { operation: 'add set', set: { ...name, keyType: NftType.integer, keyLength: 4 } },
          { operation: 'add elements', set: name, elements: elements(before) },
        ])
        const listed = nftables.list()
        assert.throws(() =>
          nftables.commit([
            { operation: 'flush set', set: name },
            { operation: 'add elements', set: name, elements: elements(after) },
            { operation: 'delete set', set: { ...name, name: 'none' } },
          ]),
        )
        assert.deepEqual(nftables.list(), listed)
      },
    ),
    { numRuns: 60 },
  )
})
