/** What every codec promises: any octets are a message or a BgpError, and what is written is read back. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { formatIp } from '../../src/address/ip.ts'
import { networkOf } from '../../src/address/prefix.ts'
import type { AsPath } from '../../src/bgp/attribute/as-path.ts'
import type { PathAttributes } from '../../src/bgp/attribute/attributes.ts'
import { AttributeInterner } from '../../src/bgp/attribute/interner.ts'
import { type Capability, encodeCapability } from '../../src/bgp/capability/capabilities.ts'
import { BgpError } from '../../src/bgp/errors.ts'
import { checkHeader, MAX_EXTENDED_MESSAGE } from '../../src/bgp/message/header.ts'
import { decodeMessage } from '../../src/bgp/message/message.ts'
import { decodeNotification, encodeNotification, formatNotification } from '../../src/bgp/message/notification.ts'
import { decodeOpen, encodeOpen } from '../../src/bgp/message/open.ts'
import { encodeAnnouncement, encodeWithdrawal } from '../../src/bgp/message/pack.ts'
import { MessageReader } from '../../src/bgp/message/reader.ts'
import { decodeUpdate, type Receiving } from '../../src/bgp/message/update.ts'
import { keyOf, type PrefixKey, prefixOf } from '../../src/bgp/nlri.ts'
import { encodeUtf8, readUtf8 } from '../../src/bgp/utf8.ts'
import { ipv4Bytes, ipv6Bytes, prefix } from '../support/any-address.ts'
import { vectors } from './captures/vectors.ts'

const u8 = fc.nat({ max: 0xff })
const u16 = fc.nat({ max: 0xffff })
const u32 = fc.nat({ max: 0xffff_ffff })
const flag = fc.boolean()
/** As object literals are, and not of fast-check's null prototype. */
const record = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record<T>(model, { noNullPrototype: true })
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })

const kinds = record({ internal: flag, as4: flag, asSets: fc.constantFrom('accept' as const, 'withdraw' as const) })
const receiving: fc.Arbitrary<Receiving> = fc
  .tuple(kinds, flag, flag)
  .map(([kind, ipv4, ipv6]) => ({ attributes: new AttributeInterner(kind), addPath: { ipv4, ipv6 } }))

/** Random octets seldom are an UPDATE: real messages with octets changed, put in, taken out or cut off get further in. */
const damaged = fc
  .tuple(
    fc.constantFrom(...vectors.map(({ bytes }) => bytes).filter(({ length }) => length < 600)),
    fc.array(fc.tuple(fc.constantFrom('set', 'flip', 'insert', 'remove', 'cut'), fc.nat({ max: 140 }), u8), {
      maxLength: 5,
    }),
    flag,
  )
  .map(([bytes, changes, mendLength]) => {
    const message = [...bytes]
    for (const [change, where, value] of changes) {
      const at = 16 + (where % Math.max(1, message.length - 16))
      if (change === 'set') message[at] = value
      if (change === 'flip') message[at] = message[at]! ^ (1 << (value & 7))
      if (change === 'insert') message.splice(at, 0, value)
      if (change === 'remove') message.splice(at, 1)
      if (change === 'cut') message.length = Math.max(19, at)
    }
    if (mendLength && message.length > 18) {
      message[16] = message.length >> 8
      message[17] = message.length & 255
    }
    return Uint8Array.from(message)
  })

/** A sound header before anything, and attributes before anything. */
const random = fc
  .tuple(fc.constantFrom(1, 2, 2, 2, 3, 4, 5, 128, 9), fc.uint8Array({ maxLength: 120 }))
  .map(([type, body]) => {
    const length = 19 + body.length
    return Uint8Array.from([...new Array<number>(16).fill(0xff), length >> 8, length & 255, type, ...body])
  })
const attributesOf = fc
  .array(fc.tuple(u8, fc.oneof(fc.nat({ max: 20 }), fc.constantFrom(32, 213), u8), fc.uint8Array({ maxLength: 40 })), {
    maxLength: 6,
  })
  .chain((list) => fc.uint8Array({ maxLength: 12 }).map((nlri) => [list, nlri] as const))
  .map(([list, nlri]) => {
    const block = list.flatMap(([flags, code, value]) => {
      const length = (flags & 0x10) !== 0 ? [0, value.length] : [value.length]
      return [flags, code, ...length, ...value]
    })
    const body = [0, 0, block.length >> 8, block.length & 255, ...block, ...nlri]
    const length = 19 + body.length
    return Uint8Array.from([...new Array<number>(16).fill(0xff), length >> 8, length & 255, 2, ...body])
  })

const isBgpError = (error: unknown) => assert.ok(error instanceof BgpError, String((error as Error).stack ?? error))

describe('any octets', () => {
  for (const [title, messages, runs] of [
    ['of any message', random, 1000],
    ['that were a message of the captures', damaged, 4000],
    ['that are attributes', attributesOf, 3000],
  ] as const) {
    test(`${title} are a message or a BgpError`, () => {
      fc.assert(
        fc.property(messages, receiving, (bytes, session) => {
          const before = bytes.slice()
          try {
            const reader = new MessageReader()
            reader.push(bytes)
            const message = reader.next()
            if (message) decodeMessage(message, session)
          } catch (error) {
            isBgpError(error)
          }
          assert.deepEqual(bytes, before, 'a decoder does not write')
        }),
        { numRuns: runs },
      )
    })
  }

  test('are messages or a BgpError also as a stream', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.uint8Array({ maxLength: 60 }), damaged), { maxLength: 8 }), (pieces) => {
        const reader = new MessageReader()
        reader.longest = MAX_EXTENDED_MESSAGE
        try {
          for (const piece of pieces) {
            reader.push(piece)
            for (let message = reader.next(); message; message = reader.next()) {
              assert.equal(checkHeader(message, 0, MAX_EXTENDED_MESSAGE), message.length)
            }
          }
        } catch (error) {
          isBgpError(error)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('that are an UPDATE give routes of every prefix once, announced or withdrawn, and never both for damage', () => {
    fc.assert(
      fc.property(fc.oneof(damaged, attributesOf), receiving, (bytes, session) => {
        let update: ReturnType<typeof decodeUpdate>
        try {
          checkHeader(bytes, 0, 4096)
          if (bytes[18] !== 2 || bytes.length !== ((bytes[16]! << 8) | bytes[17]!)) return
          update = decodeUpdate(bytes, session)
        } catch (error) {
          isBgpError(error)
          return
        }
        const withdraws = update.damage.some(({ handling }) => handling === 'treat-as-withdraw')
        if (withdraws) assert.deepEqual(update.announced, [])
        for (const { attributes, prefixes, pathIds } of update.announced) {
          assert.ok(prefixes.length > 0 && (pathIds === undefined || pathIds.length === prefixes.length))
          assert.ok(attributes.origin && attributes.asPath && attributes.nextHop)
        }
        if (update.endOfRib) assert.deepEqual([...update.announced, ...update.withdrawn, ...update.damage], [])
      }),
      { numRuns: 3000 },
    )
  })
})

const asNumber = fc.integer({ min: 1, max: 0xffff_ffff })
/** Without neighbouring sequences, which are one to every reader. */
const asPath: fc.Arbitrary<AsPath> = fc
  .array(fc.tuple(flag, fc.array(asNumber, { minLength: 1, maxLength: 6 })), { maxLength: 4 })
  .map((segments) =>
    segments
      .map(([isSet, numbers]) => ({ type: isSet ? ('set' as const) : ('sequence' as const), numbers }))
      .filter(({ type }, i, all) => type === 'set' || all[i - 1]?.type !== 'sequence'),
  )

const ipv4Address = ipv4Bytes.map(formatIp)
const ipv6Address = ipv6Bytes.map(formatIp)
const nextHops = fc.oneof(
  ipv4Address.map((nextHop) => ({ nextHop, linkLocal: undefined })),
  record({ nextHop: ipv6Address, linkLocal: maybe(ipv6Address) }),
)

const attributes: fc.Arbitrary<PathAttributes> = fc
  .tuple(
    nextHops,
    record({
      origin: fc.constantFrom('IGP' as const, 'EGP' as const, 'INCOMPLETE' as const),
      asPath,
      med: maybe(u32),
      localPref: maybe(u32),
      atomicAggregate: maybe(fc.constant(true as const)),
      aggregator: maybe(record({ as: asNumber, address: ipv4Address })),
      communities: fc.array(u32, { maxLength: 80 }),
      originatorId: maybe(u32),
      clusterList: fc.array(u32, { maxLength: 4 }),
      extendedCommunities: fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { maxLength: 4 }),
      largeCommunities: fc.array(fc.tuple(u32, u32, u32), { maxLength: 30 }),
      unknown: fc
        .uniqueArray(fc.tuple(fc.integer({ min: 40, max: 255 }), fc.uint8Array({ maxLength: 300 })), {
          maxLength: 3,
          selector: ([code]) => code,
        })
        .map((list) => list.sort(([a], [b]) => a - b).map(([code, value]) => ({ code, value }))),
    }),
  )
  .chain(([hops, others]) => {
    const codes = [
      ...(others.aggregator ? [7] : []),
      ...(others.communities.length ? [8] : []),
      ...(others.extendedCommunities.length ? [16] : []),
      ...(others.largeCommunities.length ? [32] : []),
    ]
    return fc.subarray(codes).map((partial) => ({ ...hops, ...others, partial }))
  })

const keys = fc.array(prefix.map(keyOf), { minLength: 1, maxLength: 60 })
const ofFamily = (list: readonly PrefixKey[], family: 'ipv4' | 'ipv6') =>
  list.filter((key) => (typeof key === 'number') === (family === 'ipv4'))

test('announced routes are read back as they were written', () => {
  fc.assert(
    fc.property(attributes, keys, flag, flag, (shared, all, as4, addPath) => {
      const family = shared.nextHop.includes(':') && typeof all[0] === 'string' ? 'ipv6' : 'ipv4'
      const prefixes = ofFamily(all, family)
      const pathIds = addPath ? prefixes.map((_, i) => 0xffff_ffff - i) : undefined
      const messages = encodeAnnouncement({ family, prefixes, pathIds, attributes: shared }, { as4, longest: 4096 })!
      const session = {
        attributes: new AttributeInterner({ internal: true, as4, asSets: 'accept' }),
        addPath: { ipv4: addPath, ipv6: addPath },
      }
      const updates = messages.map((message) => decodeUpdate(message, session))
      const announced = updates.flatMap((update) => update.announced)
      assert.deepEqual(
        announced.flatMap((each) => each.prefixes),
        prefixes,
      )
      assert.deepEqual(
        announced.flatMap((each) => each.pathIds ?? []),
        pathIds ?? [],
      )
      for (const each of announced) assert.deepEqual(each.attributes, shared)
      assert.deepEqual(
        updates.flatMap(({ damage }) => damage),
        [],
      )
    }),
    { numRuns: 300 },
  )
})

test('withdrawn prefixes are read back as they were written', () => {
  fc.assert(
    fc.property(keys, fc.constantFrom('ipv4' as const, 'ipv6' as const), flag, flag, (all, family, asMp, addPath) => {
      const prefixes = ofFamily(all, family)
      const pathIds = addPath ? prefixes.map((_, i) => i) : undefined
      const messages = encodeWithdrawal({ family, prefixes, pathIds }, { longest: 256 }, asMp)
      const attributes = new AttributeInterner({ internal: true, as4: true, asSets: 'accept' })
      const session = { attributes, addPath: { ipv4: addPath, ipv6: addPath } }
      const read = messages.flatMap((message) => decodeUpdate(message, session).withdrawn)
      assert.ok(messages.every(({ length }) => length <= 256))
      assert.deepEqual(
        read.flatMap((each) => each.prefixes),
        prefixes,
      )
      assert.deepEqual(
        read.flatMap((each) => each.pathIds ?? []),
        pathIds ?? [],
      )
    }),
  )
})

test('a key is its prefix without host bits', () => {
  fc.assert(fc.property(prefix, (each) => assert.deepEqual(prefixOf(keyOf(each)), networkOf(each))))
})

const afiSafi = { afi: u16, safi: u8 }
const known = fc.oneof(
  record({ name: fc.constant('multiprotocol' as const), value: record(afiSafi) }),
  record({
    name: fc.constantFrom('route-refresh' as const, 'extended-message' as const),
    value: fc.constant(true as const),
  }),
  record({ name: fc.constant('four-octet-as' as const), value: asNumber }),
  record({
    name: fc.constant('graceful-restart' as const),
    value: record({
      restarting: flag,
      notification: flag,
      time: fc.nat({ max: 4095 }),
      families: fc.array(record({ ...afiSafi, forwarding: flag }), { maxLength: 4 }),
    }),
  }),
  record({
    name: fc.constant('long-lived-graceful-restart' as const),
    value: fc.array(record({ ...afiSafi, forwarding: flag, time: fc.nat({ max: 2 ** 24 - 1 }) }), { maxLength: 4 }),
  }),
  record({
    name: fc.constant('add-path' as const),
    value: fc.array(
      record({ ...afiSafi, mode: fc.constantFrom('receive' as const, 'send' as const, 'both' as const) }),
    ),
  }),
  record({
    name: fc.constant('extended-next-hop' as const),
    value: fc.array(record({ afi: u16, safi: u16, nextHopAfi: u16 })),
  }),
)
const other = record({
  name: fc.constant('other' as const),
  code: fc.integer({ min: 150, max: 255 }),
  data: fc.uint8Array({ maxLength: 255 }),
})
const capabilities: fc.Arbitrary<readonly Capability[]> = fc.array(fc.oneof(known, other), { maxLength: 12 })

test('an OPEN is read back as it was written, whatever is in it', () => {
  fc.assert(
    fc.property(u16, asNumber, fc.integer({ min: 1, max: 0xffff_ffff }), capabilities, (hold, as, id, list) => {
      const holdTime = hold < 3 ? 0 : hold
      const open = { as, holdTime, id, capabilities: [...list, { name: 'four-octet-as', value: as } as const] }
      fc.pre(list.every(({ name }) => name !== 'four-octet-as'))
      fc.pre(list.every((each) => encodeCapability(each).length <= 257))
      const read = decodeOpen(encodeOpen(open))
      assert.deepEqual(read, open)
    }),
    { numRuns: 300 },
  )
})

test('a NOTIFICATION is read back as it was written, and can always be shown', () => {
  fc.assert(
    fc.property(
      fc.oneof(u8, fc.constant(6)),
      fc.oneof(u8, fc.constantFrom(1, 2, 4, 9)),
      fc.uint8Array(),
      (code, subcode, data) => {
        const notification = { code, subcode, data }
        assert.deepEqual(decodeNotification(encodeNotification(notification)), notification)
        assert.ok(formatNotification(notification).startsWith(`${code}/${subcode}`))
      },
    ),
  )
})

test('UTF-8 is that of Node', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.uint8Array(), (text, bytes) => {
      assert.deepEqual(encodeUtf8(text), new Uint8Array(Buffer.from(text.toWellFormed(), 'utf8')))
      assert.equal(readUtf8(encodeUtf8(text)), text.toWellFormed())
      const isUtf8 = Buffer.from(Buffer.from(bytes).toString('utf8'), 'utf8').equals(Buffer.from(bytes))
      assert.equal(readUtf8(bytes) !== undefined, isUtf8)
    }),
  )
})
