/** The model's machine against the kernel's: the same rules see the same packets, and count the same. */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { afterAll, beforeAll, test } from 'vitest'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import {
  joinTypes,
  type NftExpression,
  type NftFamily,
  type NftOperation,
  type NftSet,
  NftType,
} from '../../../src/kernel/nftables.ts'
import { liveLinux } from '../../../src/linux/live.ts'
import { eventually } from '../../contract/kernel/case.ts'
import { followedModel } from '../../support/followed-model.ts'
import { arpFrame, ipv4Frame, ipv6Frame, PEER_MAC } from './random-frames.ts'

const kernel: LiveKernel = liveLinux()
const model: LiveKernel = followedModel()
const both = [kernel, model]

beforeAll(async () => {
  for (const each of both) {
    each.links.add({
      kind: 'veth',
      name: 'near',
      mac: '02:00:00:00:00:01',
      up: true,
      peer: { name: 'far', mac: PEER_MAC },
    })
    // Its own noise would be counted.
    each.sysctl.set('net/ipv6/conf/near/disable_ipv6', '1')
    each.links.set('near', { up: true })
    each.links.set('far', { up: true })
    each.links.set('lo', { up: true })
    each.addresses.add({ link: 'far', prefix: '10.0.0.1/24' })
    each.addresses.add({ link: 'far', prefix: '10.0.0.2/24' })
    each.routes.add({ destination: '10.0.9.0/24', type: 'blackhole' })
    each.routes.add({ destination: '10.0.8.0/24', gateway: '10.0.0.7', link: 'far' })
  }
  // What is sent by a link whose carrier Linux has not found yet is lost without a word.
  for (const link of ['near', 'far']) {
    await eventually(() => kernel.links.get(link)?.operState === 'up', `"${link}" is up`)
  }
})
afterAll(() => {
  kernel.links.delete('near')
  kernel.close()
})

const bytes = (...numbers: number[]) => Uint8Array.from(numbers)
const payload = (base: 'link' | 'network' | 'transport', offset: number, length: number): NftExpression => ({
  type: 'payload',
  base,
  offset,
  length,
  register: 1,
})
const is = (...value: number[]): NftExpression => ({ type: 'cmp', register: 1, operator: 'eq', value: bytes(...value) })
const compared = (operator: 'neq' | 'lt' | 'lte' | 'gt' | 'gte', ...value: number[]): NftExpression => ({
  type: 'cmp',
  register: 1,
  operator,
  value: bytes(...value),
})
const masked = (mask: number[], ...value: number[]): NftExpression[] => [
  { type: 'bitwise', source: 1, register: 1, mask: bytes(...mask), xor: new Uint8Array(mask.length) },
  is(...value),
]
const meta = (key: Extract<NftExpression, { type: 'meta' }>['key'], register = 1): NftExpression => ({
  type: 'meta',
  key,
  register,
})
const text = (name: string, length = 16) => {
  const value = new Uint8Array(length)
  value.set(Buffer.from(name).subarray(0, length))
  return [...value]
}
const lookup = (set: string, inverted = false): NftExpression => ({
  type: 'lookup',
  set,
  source: 1,
  ...(inverted && { inverted }),
})
const fib = (
  result: 'oif' | 'oifname' | 'type',
  ...flags: Extract<NftExpression, { type: 'fib' }>['flags']
): NftExpression => ({ type: 'fib', result, flags, register: 1 })

/** Attributes of an expression that the interface has no words for: each a number of 32 bits. */
const numbers = (of: Readonly<Record<number, number>>): Uint8Array =>
  bytes(...Object.entries(of).flatMap(([type, value]) => [8, 0, Number(type), 0, ...bigEndian(value)]))
const bigEndian = (value: number) => [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]
/** NFTA_BYTEORDER_*: of register 1 in place. */
const byteorder = (length: number, size: 2 | 4): NftExpression => ({
  type: 'other',
  name: 'byteorder',
  data: numbers({ 1: 1, 2: 1, 3: 1, 4: length, 5: size }),
})
/** NFTA_NG_*: counts up, into register 1. */
const numgen = (modulus: number, offset: number): NftExpression => ({
  type: 'other',
  name: 'numgen',
  data: numbers({ 1: 1, 2: modulus, 3: 0, 4: offset }),
})
/** NFTA_HASH_*: jhash of register 1, with a seed, into register 1. */
const jhash = (length: number, modulus: number, offset: number): NftExpression => ({
  type: 'other',
  name: 'hash',
  data: numbers({ 1: 1, 2: 1, 3: length, 4: modulus, 5: 0xdeadbeef, 6: offset, 7: 0 }),
})

/** What holds of frames of any kind. */
const common: NftExpression[][] = [
  [meta('iifname'), is(...text('far'))],
  [meta('iifname'), is(...text('fa', 2))],
  [meta('iifname'), compared('neq', ...text('near'))],
  [meta('iiftype'), is(1, 0)],
  [meta('oif'), is(0, 0, 0, 0)],
  [meta('mark'), is(0, 0, 0, 0)],
  [meta('len'), compared('gt', 60, 0, 0, 0)],
  [meta('pkttype'), is(0)],
  [meta('pkttype'), is(1)],
  [meta('pkttype'), is(2)],
  [meta('protocol'), is(8, 0)],
  [meta('protocol'), is(0x86, 0xdd)],
  [meta('nfproto'), is(2)],
  [meta('nfproto'), is(10)],
  [meta('nfproto'), is(5)],
  [meta('l4proto'), is(6)],
  [meta('l4proto'), is(17)],
  [meta('l4proto'), compared('gte', 2)],
  [meta('l4proto'), { type: 'range', register: 1, operator: 'neq', from: bytes(1), to: bytes(16) }],
  [meta('iifgroup'), is(0, 0, 0, 0)],
  [meta('l4proto'), is(51)],
  [meta('l4proto'), is(44)],
  [meta('l4proto'), is(60)],
  [meta('l4proto'), is(59)],
  [meta('l4proto'), is(0)],
  [payload('link', 0, 6), is(2, 0, 0, 0, 0, 2)],
  [payload('link', 6, 6), compared('neq', 2, 0, 0, 0, 0, 9)],
  [payload('link', 12, 2), is(8, 0)],
  [payload('transport', 0, 2), is(0, 80)],
  [payload('transport', 2, 2), compared('lt', 4, 0)],
  [payload('transport', 13, 1), ...masked([0x3f], 2)],
  [payload('transport', 30, 4), compared('gte', 0, 0, 0, 0)],
  [payload('network', 1, 1), ...masked([0xfc], 0)],
  [payload('network', 40, 8), compared('gte', 0, 0, 0, 0, 0, 0, 0, 0)],
  [payload('network', 250, 4), is(0, 0, 0, 0)],
  [payload('transport', 4, 4), is(0, 0, 0, 1)],
  [payload('link', 2, 4), is(0, 0, 0, 2)],
  // No second token comes within the test.
  [{ type: 'limit', rate: 1n, unit: 86_400n, burst: 5 }],
  [{ type: 'limit', rate: 1n, unit: 86_400n, burst: 5, over: true }],
]

const ipv4: NftExpression[][] = [
  [payload('network', 12, 4), is(10, 0, 0, 7)],
  [payload('network', 12, 4), compared('neq', 10, 0, 0, 7)],
  [payload('network', 16, 4), ...masked([255, 255, 255, 0], 10, 0, 0, 0)],
  [payload('network', 16, 3), is(10, 0, 8)],
  [
    payload('network', 16, 4),
    { type: 'range', register: 1, operator: 'eq', from: bytes(10, 0, 0, 1), to: bytes(10, 0, 0, 2) },
  ],
  [payload('network', 8, 1), compared('lte', 1)],
  [payload('network', 6, 2), ...masked([0x1f, 0xff], 0, 0)],
  [payload('network', 12, 8), is(10, 0, 0, 7, 10, 0, 0, 1)],
  [payload('network', 12, 4), lookup('hosts')],
  [payload('network', 12, 4), lookup('hosts', true)],
  [payload('network', 16, 4), lookup('nets')],
  [
    meta('mark', 2),
    payload('network', 12, 4),
    { type: 'bitwise', source: 1, register: 2, mask: bytes(0, 0, 0, 255), xor: bytes(0, 0, 0, 1) },
    { type: 'cmp', register: 2, operator: 'eq', value: bytes(0, 0, 0, 6) },
  ],
  [
    payload('network', 16, 4),
    { type: 'payload', base: 'transport', offset: 2, length: 2, register: 9 },
    lookup('services'),
  ],
  [
    payload('network', 12, 4),
    { type: 'lookup', set: 'marks', source: 1, register: 2 },
    { type: 'cmp', register: 2, operator: 'eq', value: bytes(0, 0, 0, 2) },
  ],
  [fib('type', 'daddr'), is(2, 0, 0, 0)],
  [fib('type', 'saddr'), is(1, 0, 0, 0)],
  [fib('type', 'daddr', 'iif'), is(3, 0, 0, 0)],
  [fib('oif', 'saddr', 'iif'), compared('neq', 0, 0, 0, 0)],
  [payload('network', 16, 4), is(10, 0, 0, 1), fib('oif', 'daddr'), compared('neq', 0, 0, 0, 0)],
  [payload('network', 16, 4), is(10, 0, 0, 255), fib('oif', 'daddr'), compared('neq', 0, 0, 0, 0)],
  [payload('network', 16, 4), is(10, 0, 9, 9), fib('oif', 'daddr'), compared('neq', 0, 0, 0, 0)],
  [payload('network', 16, 4), is(224, 0, 0, 5), fib('oif', 'daddr'), compared('neq', 0, 0, 0, 0)],
  [fib('oif', 'daddr'), compared('neq', 0, 0, 0, 0)],
  [fib('oifname', 'daddr'), is(...text('far'))],
  [fib('oif', 'saddr', 'present'), is(1)],
  [fib('oif', 'saddr', 'mark', 'iif', 'present'), is(0)],
]

/** NFTA_DYNSET_*: register 1 into a set, or out of it. A timeout in milliseconds. */
const dynset = (set: string, operation: 'add' | 'update' | 'delete', timeout?: number): NftExpression => ({
  type: 'other',
  name: 'dynset',
  data: bytes(
    ...[set.length + 5, 0, 1, 0, ...text(set, set.length), 0, ...new Array((7 - (set.length % 4)) % 4).fill(0)],
    ...numbers({ 3: ['add', 'update', 'delete'].indexOf(operation), 4: 1 }),
    ...(timeout === undefined ? [] : [12, 0, 6, 0, 0, 0, 0, 0, ...bigEndian(timeout)]),
  ),
})

/** Sets that rules change as packets come. No life ends within the test. */
const changing: NftExpression[][] = [
  [payload('network', 12, 4), dynset('few', 'add')],
  [payload('network', 12, 4), lookup('few')],
  [payload('network', 16, 4), dynset('lasting', 'update', 600_000)],
  [payload('network', 12, 4), dynset('lasting', 'add', 600_000)],
  [payload('network', 12, 4), lookup('lasting')],
  [payload('network', 16, 4), dynset('given', 'delete')],
  [payload('network', 16, 4), lookup('given')],
  [payload('network', 12, 4), { type: 'lookup', set: 'verdicts', source: 1, register: 0 }],
]

/** What changes packets, and what is made of more than a field and a constant. */
const made: NftExpression[][] = [
  [meta('skgid'), is(0, 0, 0, 0)],
  [meta('iifname'), lookup('names')],
  [meta('iifname'), lookup('names', true)],
  [numgen(3, 0), is(0, 0, 0, 0)],
  [numgen(5, 7), byteorder(4, 4), is(0, 0, 0, 9)],
  [payload('network', 12, 4), byteorder(4, 4), is(7, 0, 0, 10)],
  [payload('network', 12, 8), byteorder(8, 2), is(0, 10, 7, 0, 0, 10, 1, 0)],
  [payload('network', 12, 8), jhash(8, 2, 0), is(1, 0, 0, 0)],
  [payload('network', 12, 4), jhash(4, 5, 100), compared('lt', 102, 0, 0, 0)],
  [meta('pkttype'), is(1)],
  [
    { type: 'immediate', register: 1, value: bytes(0) },
    { type: 'meta set', key: 'pkttype', source: 1 },
  ],
  [meta('pkttype'), is(0)],
]

type Ct = Extract<NftExpression, { type: 'ct' }>
const ct = (key: Ct['key'], direction?: Ct['direction']): NftExpression => ({
  type: 'ct',
  key,
  register: 1,
  ...(direction && { direction }),
})

/** What is asked of a packet's connection, and of what it has not before routing. */
const connected: NftExpression[][] = [
  ...[1, 2, 4, 8, 64].map((bit) => [ct('state'), ...masked([bit, 0, 0, 0], bit, 0, 0, 0)]),
  // IPS_SEEN_REPLY, ASSURED, CONFIRMED, and those of NAT.
  ...[2, 4, 8, 16, 32, 0x80].map((bit) => [ct('status'), ...masked([bit, 0, 0, 0], bit, 0, 0, 0)]),
  [ct('direction'), is(0)],
  [ct('direction'), is(1)],
  [ct('mark'), is(0, 0, 0, 0)],
  [ct('protocol'), is(6)],
  [ct('protocol', 'reply'), is(17)],
  [ct('l3protocol'), is(2)],
  [ct('l3protocol', 'original'), is(10)],
  [ct('zone'), is(0, 0)],
  [ct('zone', 'reply'), compared('neq', 0, 0)],
  ...(['original', 'reply'] as const).flatMap((direction) => [
    [ct('src_ip', direction), is(10, 0, 0, 7)],
    [ct('src_ip', direction), is(10, 0, 0, 1)],
    [ct('dst_ip', direction), ...masked([255, 255, 255, 0], 10, 0, 0, 0)],
    [ct('proto_src', direction), is(0, 80)],
    [ct('proto_dst', direction), compared('lt', 1, 0)],
    [ct('proto_dst', direction), compared('gte', 4, 0)],
  ]),
  [meta('priority'), is(0, 0, 0, 0)],
  [meta('iif'), compared('neq', 0, 0, 0, 0)],
  [meta('cpu'), compared('gte', 0, 0, 0, 0)],
  [meta('oiftype'), is(1, 0)],
  [meta('oifgroup'), is(0, 0, 0, 0)],
  [meta('skuid'), is(0, 0, 0, 0)],
]

const xt: NftExpression[][] = [
  [{ type: 'xt match', match: 'tcp', destinationPorts: { value: { from: 80, to: 81 }, invert: false } }],
  [
    {
      type: 'xt match',
      match: 'tcp',
      sourcePorts: { value: { from: 80, to: 80 }, invert: true },
      flags: { value: { mask: 0x17, set: 2 }, invert: false },
    },
  ],
  [{ type: 'xt match', match: 'tcp', flags: { value: { mask: 0x17, set: 2 }, invert: true } }],
  [{ type: 'xt match', match: 'tcp', option: { value: 2, invert: false } }],
  [{ type: 'xt match', match: 'tcp', option: { value: 3, invert: true } }],
  [{ type: 'xt match', match: 'tcpmss', mss: { from: 500, to: 600 }, invert: false }],
  [{ type: 'xt match', match: 'tcpmss', mss: { from: 1460, to: 1460 }, invert: true }],
]
const xtUdp: NftExpression[][] = [
  [{ type: 'xt match', match: 'udp', destinationPorts: { value: { from: 53, to: 1024 }, invert: true } }],
  [{ type: 'xt match', match: 'udp', sourcePorts: { value: { from: 53, to: 80 }, invert: false } }],
  [
    {
      type: 'xt match',
      match: 'multiport',
      which: 'destination',
      ports: [
        { from: 53, to: 53 },
        { from: 80, to: 90 },
      ],
      invert: false,
    },
  ],
  [{ type: 'xt match', match: 'multiport', which: 'either', ports: [{ from: 80, to: 80 }], invert: true }],
]
const xtIcmp: NftExpression[][] = [
  [{ type: 'xt match', match: 'icmp', icmpType: 8, codes: { from: 0, to: 255 }, invert: false }],
  [{ type: 'xt match', match: 'icmp', icmpType: 3, codes: { from: 4, to: 4 }, invert: true }],
]
const xtAny: NftExpression[][] = [
  [{ type: 'xt match', match: 'mark', mark: 0, mask: 0xff, invert: false }],
  [{ type: 'xt match', match: 'pkttype', packetType: 'multicast', invert: false }],
  [{ type: 'xt match', match: 'pkttype', packetType: 'unicast', invert: true }],
  [{ type: 'xt match', match: 'addrtype', destination: { value: ['LOCAL'], invert: false } }],
  [{ type: 'xt match', match: 'addrtype', source: { value: ['UNICAST', 'BLACKHOLE'], invert: true } }],
  [
    {
      type: 'xt match',
      match: 'addrtype',
      destination: { value: ['BROADCAST', 'MULTICAST'], invert: false },
      limitInterface: 'in',
    },
  ],
  [{ type: 'xt match', match: 'rpfilter', loose: false, validMark: false, acceptLocal: false, invert: false }],
  [{ type: 'xt match', match: 'rpfilter', loose: true, validMark: true, acceptLocal: true, invert: true }],
  [{ type: 'xt match', match: 'statistic', mode: 'nth', every: 3, packet: 1, invert: false }],
  [{ type: 'xt match', match: 'statistic', mode: 'nth', every: 4, packet: 0, invert: true }],
  [{ type: 'xt match', match: 'limit', average: 10_000_000, burst: 4 }],
  [{ type: 'xt match', match: 'physdev', isBridged: { value: true, invert: true } }],
  [{ type: 'xt match', match: 'physdev', input: { value: 'far', invert: false } }],
  [{ type: 'xt match', match: 'recent', action: 'set', name: 'seen', side: 'source', invert: false }],
  [
    {
      type: 'xt match',
      match: 'recent',
      action: 'rcheck',
      name: 'seen',
      side: 'destination',
      hitCount: 3,
      invert: false,
    },
  ],
  [{ type: 'xt match', match: 'comment', comment: 'nothing' }],
  [{ type: 'xt target', target: 'TRACE' }],
  [{ type: 'xt target', target: 'CT', notrack: false }],
]

type Recent = Extract<NftExpression, { match: 'recent' }>
/** All within the test: `seconds` are more than it takes. */
const recent = (action: Recent['action'], more: Partial<Recent> = {}): NftExpression[] => [
  { type: 'xt match', match: 'recent', action, name: 'list', side: 'source', invert: false, ...more },
]
const remembered: NftExpression[][] = [
  recent('rcheck'),
  recent('set'),
  recent('rcheck', { side: 'destination' }),
  recent('rcheck', { seconds: 600, hitCount: 5 }),
  recent('rcheck', { seconds: 600, reap: true }),
  recent('update', { side: 'destination', seconds: 600 }),
  recent('update', { hitCount: 40 }),
  recent('remove', { side: 'destination' }),
  recent('rcheck', { invert: true }),
  recent('set', { name: 'other', side: 'destination', invert: true }),
  recent('update', { name: 'other', hitCount: 3 }),
]

type Conntrack = Extract<NftExpression, { match: 'conntrack' | 'state' }>
const conntrack = (asked: Partial<Conntrack>): NftExpression[] => [
  { type: 'xt match', match: 'conntrack', ...asked } as NftExpression,
]
const is10 = (last: string, invert = false) => ({ value: `10.0.0.${last}`, invert })
const ports = (from: number, to: number, invert = false) => ({ value: { from, to }, invert })
const connectedXt: NftExpression[][] = [
  ...(['NEW', 'ESTABLISHED', 'RELATED', 'INVALID', 'UNTRACKED', 'DNAT'] as const).flatMap((state) => [
    conntrack({ states: { value: [state], invert: false } }),
    conntrack({ states: { value: [state], invert: true } }),
  ]),
  ...(['NONE', 'EXPECTED', 'SEEN_REPLY', 'ASSURED', 'CONFIRMED'] as const).flatMap((status) => [
    conntrack({ status: { value: [status], invert: false } }),
    conntrack({ status: { value: [status], invert: true } }),
  ]),
  conntrack({ direction: 'ORIGINAL' }),
  conntrack({ direction: 'REPLY' }),
  conntrack({ protocol: { value: 6, invert: false } }),
  conntrack({ protocol: { value: 17, invert: true } }),
  conntrack({ originalSource: is10('7') }),
  conntrack({ originalSource: is10('0/29', true) }),
  conntrack({ originalDestination: is10('1'), direction: 'REPLY' }),
  conntrack({ replySource: is10('1', true) }),
  conntrack({ replyDestination: is10('0/30') }),
  conntrack({ originalSourcePort: ports(22, 80) }),
  conntrack({ originalDestinationPort: ports(80, 80, true) }),
  conntrack({ replySourcePort: ports(0, 1023), protocol: { value: 17, invert: false } }),
  conntrack({ replyDestinationPort: ports(1024, 65_535, true), states: { value: ['NEW'], invert: false } }),
  conntrack({ match: 'state', states: { value: ['NEW', 'INVALID'], invert: false } }),
  [{ type: 'xt match', match: 'connmark', mark: 0, mask: 0xff, invert: false }],
  [{ type: 'xt match', match: 'connmark', mark: 1, mask: 0xff, invert: true }],
]

interface Ruled {
  readonly expressions: readonly NftExpression[]
  readonly protocol?: number
  /** It does not count. */
  readonly silent?: boolean
}

/** Each set of conditions is a rule that counts; the last one drops. */
async function countsAgree(
  family: NftFamily,
  table: string,
  base: { readonly hook: 'prerouting' | 'ingress' | 'input'; readonly priority: number; readonly device?: string },
  rules: readonly Ruled[],
  sets: readonly NftOperation[],
  frames: readonly Uint8Array[],
): Promise<void> {
  const counts = (each: LiveKernel) =>
    each.nftables.rules({ family, table, name: 'c' }).map(({ expressions }) => {
      const counter = expressions.find((each) => each.type === 'counter')
      return counter ? `${counter.packets} packets, ${counter.bytes} bytes` : 'nothing'
    })
  for (const each of both) {
    each.nftables.commit([
      { operation: 'add table', table: { family, name: table } },
      {
        operation: 'add chain',
        chain: { family, table, name: 'c', base: { type: 'filter', policy: 'drop', ...base } },
      },
      ...sets,
      ...rules.map(
        ({ expressions, protocol, silent = false }): NftOperation => ({
          operation: 'add rule',
          rule: {
            family,
            table,
            chain: 'c',
            expressions: silent ? expressions : [...expressions, { type: 'counter' }],
            ...(protocol !== undefined && { protocol }),
          },
        }),
      ),
      {
        operation: 'add rule',
        rule: { family, table, chain: 'c', expressions: [meta('iifname'), is(...text('far')), { type: 'counter' }] },
      },
    ])
    for (const frame of frames) each.packets.send('near', frame)
  }
  const seen = counts(model)
  await eventually(
    () => counts(kernel).at(-1) === seen.at(-1),
    `as many packets came: ${counts(kernel).at(-1)}, not ${seen.at(-1)}`,
  )
  const told = (lines: readonly string[]) => lines.map((line, i) => `${line}: ${inspect(rules[i]?.expressions)}`)
  const wanted = counts(kernel)
  for (const each of both) each.nftables.commit([{ operation: 'delete table', table: { family, name: table } }])
  assert.deepEqual(told(seen), told(wanted))
}

const plain = (list: readonly NftExpression[][]): Ruled[] => list.map((expressions) => ({ expressions }))
const forProtocol = (protocol: number, list: readonly NftExpression[][]): Ruled[] =>
  list.map((expressions) => ({ expressions: [meta('l4proto'), is(protocol), ...expressions], protocol }))

const ipv4Sets = (family: NftFamily, table: string): NftOperation[] => {
  const of = (set: Omit<NftSet, 'family' | 'table'>): NftOperation => ({
    operation: 'add set',
    set: { family, table, ...set },
  })
  const address = { keyType: NftType.ipv4Address, keyLength: 4 } as const
  const service = { keyType: joinTypes(NftType.ipv4Address, NftType.internetService), keyLength: 8 } as const
  const elements = (name: string, list: Extract<NftOperation, { elements: unknown }>['elements']): NftOperation => ({
    operation: 'add elements',
    set: { family, table, name },
    elements: list,
  })
  return [
    of({ name: 'hosts', ...address }),
    of({ name: 'nets', ...address, interval: true }),
    of({ name: 'marks', ...address, data: { type: NftType.mark, length: 4 } }),
    of({ name: 'services', ...service, interval: true }),
    elements('hosts', [{ key: bytes(10, 0, 0, 7) }, { key: bytes(10, 0, 9, 1) }]),
    elements('nets', [
      { key: bytes(10, 0, 0, 0), keyEnd: bytes(10, 0, 0, 2) },
      { key: bytes(10, 0, 8, 0), keyEnd: bytes(10, 0, 10, 0) },
      { key: bytes(224, 0, 0, 0) },
    ]),
    elements('marks', [
      { key: bytes(10, 0, 0, 7), data: bytes(0, 0, 0, 2) },
      { key: bytes(10, 0, 0, 9), data: bytes(0, 0, 0, 3) },
    ]),
    elements('services', [
      { key: bytes(10, 0, 0, 1, 0, 53, 0, 0), keyEnd: bytes(10, 0, 0, 2, 0, 80, 0, 0) },
      { key: bytes(10, 0, 8, 0, 0, 80, 0, 0), keyEnd: bytes(10, 0, 8, 255, 0, 80, 0, 0) },
    ]),
  ]
}

const many = (make: (n: number) => Uint8Array) => Array.from({ length: 600 }, (_, n) => make(n))

test('IPv4 packets match the same rules before routing', () =>
  countsAgree(
    'ip',
    't',
    { hook: 'prerouting', priority: -300 },
    plain([...common, ...ipv4]),
    ipv4Sets('ip', 't'),
    many(ipv4Frame),
  ))

test('IPv4 packets match the same rules of an inet table', () =>
  countsAgree(
    'inet',
    't',
    { hook: 'prerouting', priority: -300 },
    plain([...common, ...ipv4]),
    ipv4Sets('inet', 't'),
    many(ipv4Frame),
  ))

test('IPv4 packets are changed and hashed alike, and what has no conditions is passed over', () =>
  countsAgree(
    'ip',
    't',
    { hook: 'prerouting', priority: -300 },
    [{ expressions: [], silent: true }, ...plain(made)],
    [
      {
        operation: 'add set',
        set: { family: 'ip', table: 't', name: 'names', keyType: NftType.interfaceName, keyLength: 16 },
      },
      {
        operation: 'add elements',
        set: { family: 'ip', table: 't', name: 'names' },
        elements: ['near', 'far'].map((name) => ({ key: bytes(...text(name)) })),
      },
    ],
    many(ipv4Frame),
  ))

test('IPv4 packets go into sets and out of them alike', () => {
  const address = { family: 'ip', table: 't', keyType: NftType.ipv4Address, keyLength: 4 } as const
  const add = (set: Pick<NftSet, 'name'> & Partial<NftSet>): NftOperation => ({
    operation: 'add set',
    set: { ...address, ...set },
  })
  return countsAgree(
    'ip',
    't',
    { hook: 'prerouting', priority: -300 },
    plain(changing),
    [
      add({ name: 'few', dynamic: true, size: 3 }),
      add({ name: 'lasting', dynamic: true, timeout: 300_000, size: 1000 }),
      add({ name: 'given', dynamic: true, size: 1000 }),
      add({ name: 'verdicts', data: { type: 'verdict' } }),
      {
        operation: 'add elements',
        set: { family: 'ip', table: 't', name: 'given' },
        elements: [{ key: bytes(10, 0, 0, 1) }, { key: bytes(224, 0, 0, 5) }],
      },
      {
        operation: 'add elements',
        set: { family: 'ip', table: 't', name: 'verdicts' },
        elements: [{ key: bytes(192, 0, 2, 1), data: { verdict: 'accept' } }],
      },
    ],
    many(ipv4Frame),
  )
})

test('IPv4 packets match the same extensions of iptables', () =>
  countsAgree(
    'ip',
    'raw',
    { hook: 'prerouting', priority: -300 },
    [
      ...forProtocol(6, xt),
      ...forProtocol(17, xtUdp),
      ...forProtocol(1, xtIcmp),
      ...plain(xtAny),
      ...plain(remembered),
    ],
    [],
    many(ipv4Frame).filter((frame) => frame.length > 60),
  ))

test('frames of any kind match the same rules at the ingress of a device', () =>
  countsAgree(
    'netdev',
    't',
    { hook: 'ingress', priority: 0, device: 'far' },
    plain([...common, ...ipv4.filter((list) => !list.some(({ type }) => type === 'fib'))]),
    ipv4Sets('netdev', 't'),
    many((n) => [ipv4Frame, ipv6Frame, arpFrame][n % 3]!(n)),
  ))

test('ARP frames match the same rules', () =>
  countsAgree('arp', 't', { hook: 'input', priority: 0 }, plain(common), [], many(arpFrame)))

/** The same the other way: addresses and ports exchanged, which changes no checksum. */
function reversed(frame: Uint8Array): Uint8Array {
  const bytes = frame.slice()
  bytes.copyWithin(26, 30, 34).set(frame.subarray(26, 30), 30)
  const at = 14 + (frame[14]! & 15) * 4
  if (frame[23] === 6 || frame[23] === 17) bytes.copyWithin(at, at + 2, at + 4).set(frame.subarray(at, at + 2), at + 2)
  return bytes
}

// Last: Linux goes on tracking for a moment after the rules have gone, and keeps fragments back.
for (const family of ['ip', 'inet'] as const) {
  test(`connections of IPv4 are asked the same in a table of ${family}`, async () => {
    for (const each of both) each.conntrack.flush()
    const frames = many((n) => (n % 2 === 0 ? ipv4Frame(n) : reversed(ipv4Frame(n - 1))))
    const rules = family === 'ip' ? [...connected, ...connectedXt] : connected
    await countsAgree(family, 't', { hook: 'prerouting', priority: -100 }, plain(rules), [], frames)
  })
}
