import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import {
  BFD_STATES,
  type BfdControl,
  BfdDiagnostic,
  decodeBfd,
  encodeBfd,
  formatBfdDiagnostic,
} from '../../src/wire/bfd.ts'
import { DecodeError } from '../../src/wire/errors.ts'

/** Written by hand from RFC 5880 §4.1: up, Poll, 100 ms × 3. */
const BY_HAND = '20e003180000000100000002000186a0000186a000000000'

const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))

const packets: fc.Arbitrary<BfdControl> = fc.record(
  {
    diagnostic: fc.nat({ max: 31 }),
    state: fc.constantFrom(...BFD_STATES),
    poll: fc.boolean(),
    final: fc.boolean(),
    controlPlaneIndependent: fc.boolean(),
    demand: fc.boolean(),
    detectMultiplier: fc.integer({ min: 1, max: 255 }),
    myDiscriminator: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    yourDiscriminator: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    desiredMinTx: fc.nat({ max: 2 ** 32 - 1 }),
    requiredMinRx: fc.nat({ max: 2 ** 32 - 1 }),
    requiredMinEchoRx: fc.nat({ max: 2 ** 32 - 1 }),
    authentication: fc.option(
      fc.record({ type: fc.nat({ max: 255 }), data: fc.uint8Array({ maxLength: 26 }) }, { noNullPrototype: true }),
      { nil: undefined },
    ),
  },
  { noNullPrototype: true },
)

test('every packet is read back as it was written, whatever stands behind it', () => {
  fc.assert(
    fc.property(packets, fc.uint8Array({ maxLength: 8 }), (packet, behind) => {
      assert.deepEqual(decodeBfd(new Uint8Array([...encodeBfd(packet), ...behind])), packet)
    }),
  )
})

test('any bytes with a plausible beginning are a packet that survives encoding, or a DecodeError', () => {
  const plausible = fc
    .tuple(fc.nat({ max: 255 }), fc.nat({ max: 255 }), fc.nat({ max: 40 }), fc.uint8Array({ maxLength: 40 }))
    .map(([flags, multiplier, length, rest]) => Uint8Array.of(0x20, flags, multiplier, length, ...rest))
  fc.assert(
    fc.property(plausible, (bytes) => {
      let packet: BfdControl
      try {
        packet = decodeBfd(bytes)
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error))
        return
      }
      assert.deepEqual(decodeBfd(encodeBfd(packet)), packet)
    }),
    { numRuns: 2000 },
  )
})

test('a packet that was written by hand', () => {
  const packet = decodeBfd(bytesOf(BY_HAND))
  assert.deepEqual(packet, {
    diagnostic: BfdDiagnostic.none,
    state: 'Up',
    poll: true,
    final: false,
    controlPlaneIndependent: false,
    demand: false,
    detectMultiplier: 3,
    myDiscriminator: 1,
    yourDiscriminator: 2,
    desiredMinTx: 100_000,
    requiredMinRx: 100_000,
    requiredMinEchoRx: 0,
    authentication: undefined,
  })
  assert.equal(Buffer.from(encodeBfd(packet)).toString('hex'), BY_HAND)
})

// RFC 5880 §6.8.6, in its order: what is discarded whatever the session.
for (const [what, hex, offset] of [
  ['a version that is not 1', '40c003180000000100000002000186a0000186a000000000', 0],
  ['a length below 24', '20c003170000000100000002000186a0000186a000000000', 3],
  ['a length below 26 with authentication', '20c403190000000100000002000186a0000186a00000000001', 3],
  ['a length beyond the datagram', '20c003190000000100000002000186a0000186a000000000', 3],
  ['a detect multiplier of 0', '20c000180000000100000002000186a0000186a000000000', 2],
  ['the multipoint bit', '20c103180000000100000002000186a0000186a000000000', 1],
  ['My Discriminator 0', '20c003180000000000000002000186a0000186a000000000', 4],
  ['Your Discriminator 0 in Init', '208003180000000100000000000186a0000186a000000000', 8],
  ['Your Discriminator 0 in Up', '20c003180000000100000000000186a0000186a000000000', 8],
  ['authentication that does not fit', '20c4031b0000000100000002000186a0000186a0000000000104ff', 25],
  ['authentication of less than its own header', '20c4031a0000000100000002000186a0000186a0000000000101', 25],
  ['less than a header', '20c00318000000010000', 10],
] as const) {
  test(`discarded: ${what}`, () => {
    assert.throws(
      () => decodeBfd(bytesOf(hex)),
      (error) => error instanceof DecodeError && error.offset === offset,
    )
  })
}

for (const state of ['AdminDown', 'Down'] as const) {
  test(`Your Discriminator may be 0 in ${state}`, () => {
    const [packet] = fc.sample(packets, 1)
    assert.equal(decodeBfd(encodeBfd({ ...packet!, state, yourDiscriminator: 0 })).yourDiscriminator, 0)
  })
}

test('what does not fit is not encoded', () => {
  const packet = decodeBfd(bytesOf(BY_HAND))
  assert.throws(() => encodeBfd({ ...packet, diagnostic: 32 }), RangeError)
  assert.throws(() => encodeBfd({ ...packet, desiredMinTx: 2 ** 32 }), RangeError)
  assert.throws(() => encodeBfd({ ...packet, authentication: { type: 1, data: new Uint8Array(254) } }), RangeError)
})

test('diagnostics have names, and those without are numbers', () => {
  assert.equal(formatBfdDiagnostic(1), 'control detection time expired')
  assert.equal(formatBfdDiagnostic(31), 'diagnostic 31')
})
