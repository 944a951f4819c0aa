/** Decoders are total, and what we encode they decode. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import type { NewAddress, Scope } from '../../../src/kernel/address.ts'
import type { FdbEntry, Neighbour } from '../../../src/kernel/neighbour.ts'
import type { Route, Rule } from '../../../src/kernel/route.ts'
import { linux } from '../../../src/linux/linux.ts'
import { decodeAddress, encodeListAddresses, encodeNewAddress } from '../../../src/linux/netlink/address.ts'
import { Attributes, decodeAttributes } from '../../../src/linux/netlink/attribute.ts'
import { decodeBridgeVlans } from '../../../src/linux/netlink/bridge-vlan.ts'
import { decodeFdbEntry, encodeFdbEntry, encodeListFdb } from '../../../src/linux/netlink/fdb.ts'
import { decodeLink } from '../../../src/linux/netlink/link.ts'
import { decodeMessages, MessageWriter } from '../../../src/linux/netlink/message.ts'
import { decodeNeighbour, encodeListNeighbours, encodeNeighbour } from '../../../src/linux/netlink/neighbour.ts'
import { decodeRoute, encodeListRoutes, encodeRoute } from '../../../src/linux/netlink/route.ts'
import { decodeRule, encodeListRules, encodeRule } from '../../../src/linux/netlink/rule.ts'
import { decodeRefusal, NETLINK_ROUTE, NetlinkSocket, openNetlink } from '../../../src/linux/netlink/socket.ts'
import { DecodeError } from '../../../src/wire/errors.ts'

const nameOf = (index: number) => `if${index}`
const indexOf = (name: string) => Number(name.slice(2))

const decoders: Record<string, (bytes: Uint8Array) => unknown> = {
  messages: decodeMessages,
  attributes: (bytes) => {
    const attributes = new Attributes(bytes)
    for (const { type } of decodeAttributes(bytes)) {
      for (const read of [
        'u8',
        'u16',
        'u16be',
        'u32',
        'u32be',
        'i32',
        'u64be',
        'text',
        'ip',
        'list',
        'nested',
      ] as const) {
        try {
          attributes[read](type)
        } catch (error) {
          assert.ok(error instanceof DecodeError, `${read}: ${error}`)
        }
      }
    }
  },
  link: (bytes) => decodeLink(bytes, nameOf),
  address: (bytes) => decodeAddress(bytes, nameOf),
  route: (bytes) => decodeRoute(bytes, nameOf),
  rule: decodeRule,
  neighbour: (bytes) => decodeNeighbour(bytes, nameOf),
  'forwarding entry': (bytes) => decodeFdbEntry(bytes, nameOf),
  'bridge VLANs': decodeBridgeVlans,
  refusal: (payload) => decodeRefusal({ type: 2, flags: 0x200, sequence: 0, portId: 0, payload }),
}

const totally = (decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array) => {
  try {
    decode(bytes)
  } catch (error) {
    assert.ok(error instanceof DecodeError, `${error}`)
  }
}

for (const [what, decode] of Object.entries(decoders)) {
  test(`any bytes decode as ${what} or are a DecodeError`, () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 128 }), (bytes) => totally(decode, bytes)))
  })
}

test('what the kernel sends, with any bytes of it changed, decodes or is a DecodeError', () => {
  linux.links.add({ kind: 'bridge', name: 'br0', up: true })
  linux.links.add({ kind: 'veth', name: 'v0', master: 'br0', peer: { name: 'v1' } })
  linux.links.add({ kind: 'vxlan', name: 'vx0', vxlan: { vni: 5, local: '10.0.0.1', device: 'br0', port: 4789 } })
  linux.links.add({ kind: 'macvlan', name: 'm0', parent: 'v1' })
  linux.addresses.add({ link: 'br0', prefix: '10.0.0.1/24' })
  linux.addresses.add({ link: 'br0', prefix: 'fd00::1/64', noDad: true })
  linux.routes.add({ destination: '10.5.0.0/16', gateway: '10.0.0.2', metrics: { mtu: 1400 } })
  linux.routes.add({ destination: '10.6.0.0/16', nextHops: [{ gateway: '10.0.0.2' }, { gateway: '10.0.0.3' }] })
  linux.routes.add({ destination: '10.7.0.0/16', gateway: 'fd00::2', link: 'br0' })
  linux.neighbours.add({ link: 'br0', address: '10.0.0.9', mac: '02:00:00:00:00:09' })
  const socket = new NetlinkSocket(openNetlink(NETLINK_ROUTE))
  const dump = (message: Uint8Array) => socket.dump('list', message, ({ payload }) => payload.slice())
  const links = new MessageWriter().message(18, 0).bytes(new Uint8Array(16)).finish()
  const samples = Object.entries({
    link: dump(links),
    address: dump(encodeListAddresses(0)),
    route: [...dump(encodeListRoutes('ipv4', {}, 0)), ...dump(encodeListRoutes('ipv6', {}, 0))],
    rule: dump(encodeListRules('ipv4')),
    neighbour: dump(encodeListNeighbours(undefined, 0, false)),
    'forwarding entry': dump(encodeListFdb(0)),
  }).flatMap(([what, payloads]) => payloads.map((payload) => ({ what, payload })))
  socket.close()
  assert.ok(samples.length > 30, `${samples.length} messages`)
  for (const { what, payload } of samples) decoders[what]!(payload) // unchanged, they all decode

  const changes = fc.array(fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) }), {
    minLength: 1,
    maxLength: 4,
  })
  fc.assert(
    fc.property(fc.constantFrom(...samples), changes, fc.nat(), ({ what, payload }, changes, cut) => {
      const bytes = payload.slice()
      for (const { at, to } of changes) bytes[at % bytes.length] = to
      totally(decoders[what]!, bytes)
      totally(decoders[what]!, bytes.subarray(0, cut % bytes.length))
    }),
    { numRuns: 3000 },
  )
})

test('an attribute that is shorter than its type is a DecodeError, a longer one is read as far as the type goes', () => {
  const short = new Attributes(new MessageWriter().attributeU16(1, 7).finish())
  assert.throws(() => short.u32(1), { name: 'DecodeError', message: /attribute 1 has fewer than 4 bytes/ })
  assert.equal(short.u8(1), 7)
  assert.equal(short.u32(2), undefined)
})

test('of two attributes of one type the last counts', () => {
  const attributes = new Attributes(new MessageWriter().attributeU8(1, 7).attributeU8(1, 8).finish())
  assert.equal(attributes.u8(1), 8)
})

test('a number that does not fit is a RangeError', () => {
  for (const write of [
    () => new MessageWriter().u8(256),
    () => new MessageWriter().u16(-1),
    () => new MessageWriter().attributeU32(1, 2 ** 32),
    () => new MessageWriter().attributeU32(1, 1.5),
    () => new MessageWriter().attributeU32(1, Number.NaN),
    () => new MessageWriter().attribute(1, new Uint8Array(65532)),
    () => new MessageWriter().nested(1, () => {}).attributeOf(1, () => void new MessageWriter().u16be(70000)),
  ]) {
    assert.throws(write, RangeError)
  }
})

// What is encoded, decoded again.
const payloadOf = (message: Uint8Array) => decodeMessages(message)[0]!.payload
const link = fc.integer({ min: 1, max: 2 ** 31 - 1 }).map(nameOf)
const byte = fc.integer({ min: 0, max: 255 })
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const ipv4 = fc.tuple(byte, byte, byte, byte).map((bytes) => bytes.join('.'))
const ipv6 = fc
  .tuple(u32, u32)
  .map(([a, b]) => {
    const hex = (value: number) => `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`
    return `2001:db8:1:2:${hex(a)}:${hex(b | 0x10001)}`
  })
  .filter((text) => !/:0(:|$)/.test(text))
const mac = fc
  .tuple(byte, byte, byte, byte, byte, byte)
  .map((bytes) => bytes.map((b) => b.toString(16).padStart(2, '0')).join(':'))
const optional = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }, required: (keyof T)[]) =>
  fc.record(model, { requiredKeys: required as never, noNullPrototype: true }) as unknown as fc.Arbitrary<T>

test('decodeRoute ∘ encodeRoute = identity', () => {
  const metrics = fc.record(
    {
      mtu: u32,
      advmss: u32,
      window: u32,
      initcwnd: u32,
      initrwnd: u32,
      hoplimit: u32,
      rtoMin: u32,
      quickack: fc.boolean(),
    },
    { requiredKeys: [], noNullPrototype: true },
  )
  const routes = optional<Route>(
    {
      destination: fc.oneof(
        ipv4.map((ip) => `${ip}/32`),
        ipv6.map((ip) => `${ip}/128`),
      ),
      type: fc.constantFrom('unicast', 'local', 'blackhole', 'unreachable', 'prohibit', 'throw'),
      table: u32.filter((table) => table > 0),
      protocol: byte,
      scope: fc.constantFrom<Scope[]>('global', 'link', 'host', 100),
      metric: u32,
      tos: byte,
      source: ipv4,
      gateway: fc.oneof(ipv4, ipv6),
      link,
      metrics: metrics.filter((some) => Object.keys(some).length > 0) as fc.Arbitrary<NonNullable<Route['metrics']>>,
      nextHops: fc.array(
        fc.record({ gateway: ipv4, link, weight: fc.integer({ min: 1, max: 256 }) }, { noNullPrototype: true }),
        {
          minLength: 1,
          maxLength: 5,
        },
      ),
    },
    ['destination', 'type', 'table', 'protocol', 'scope', 'metric', 'tos'],
  )
  fc.assert(
    fc.property(routes, (route) => {
      assert.deepEqual(decodeRoute(payloadOf(encodeRoute('add', route, indexOf)), nameOf), route)
    }),
  )
})

test('decodeRule ∘ encodeRule = identity', () => {
  const rules = optional<Rule>(
    {
      family: fc.constant('ipv4'),
      priority: u32,
      action: fc.constant('table'),
      table: u32,
      source: fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })).map(([ip, length]) => `${ip}/${length}`),
      destination: ipv4.map((ip) => `${ip}/32`),
      inputLink: link,
      outputLink: link,
      mark: u32,
      goto: u32,
      protocol: fc.integer({ min: 1, max: 255 }),
      suppressPrefixLength: fc.integer({ min: 0, max: 32 }),
    },
    ['family', 'priority', 'action', 'table'],
  )
  fc.assert(fc.property(rules, (rule) => assert.deepEqual(decodeRule(payloadOf(encodeRule('add', rule))), rule)))
})

test('decodeNeighbour ∘ encodeNeighbour = identity', () => {
  const neighbours = optional<Neighbour>(
    {
      link,
      address: fc.oneof(ipv4, ipv6),
      mac,
      state: fc.constantFrom('permanent', 'noarp', 'reachable', 'stale'),
      router: fc.constant(true),
      proxy: fc.constant(true),
      protocol: fc.integer({ min: 1, max: 255 }),
    },
    ['link', 'address', 'state'],
  )
  fc.assert(
    fc.property(neighbours, (neighbour) => {
      const message = encodeNeighbour('add', neighbour, indexOf(neighbour.link))
      assert.deepEqual(decodeNeighbour(payloadOf(message), nameOf), neighbour)
    }),
  )
})

test('decodeFdbEntry ∘ encodeFdbEntry = identity', () => {
  const entries = optional<FdbEntry>(
    {
      link,
      mac,
      owner: fc.constantFrom('self', 'master'),
      state: fc.constantFrom('permanent', 'static'),
      destination: fc.oneof(ipv4, ipv6),
      vlan: fc.integer({ min: 1, max: 4094 }),
      port: fc.integer({ min: 1, max: 65535 }),
      vni: fc.integer({ min: 0, max: 0xff_ffff }),
    },
    ['link', 'mac', 'owner', 'state'],
  )
  fc.assert(
    fc.property(entries, (entry) => {
      const message = encodeFdbEntry('add', entry, indexOf(entry.link))
      assert.deepEqual(decodeFdbEntry(payloadOf(message), nameOf), entry)
    }),
  )
})

test('decodeAddress ∘ encodeNewAddress = identity', () => {
  const addresses = optional<NewAddress>(
    {
      prefix: fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })).map(([ip, length]) => `${ip}/${length}`),
      link,
      scope: fc.constantFrom<Scope[]>('global', 'site', 'link', 'host', 7),
      peer: ipv4,
      broadcast: ipv4,
      label: fc.string({ minLength: 1, maxLength: 15 }).filter((text) => !text.includes('\0')),
    },
    ['prefix', 'link', 'scope', 'broadcast'],
  ).filter(({ peer, prefix }) => peer === undefined || !prefix.startsWith(`${peer}/`))
  fc.assert(
    fc.property(addresses, (address) => {
      const decoded = decodeAddress(payloadOf(encodeNewAddress(address, indexOf(address.link), 'add')), nameOf)
      const { prefix, link, scope, peer, broadcast, label } = decoded!
      assert.deepEqual(
        { prefix, link, scope, peer, broadcast, label },
        { peer: undefined, label: undefined, ...address },
      )
    }),
  )
})
