/** Each expression beside nft's words for it: we read what nft made, and nft reads in ours what it reads in its own. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { beforeAll, test } from 'vitest'
import { type NftExpression, type NftOperation, NftType } from '../../../src/kernel/nftables.ts'
import { linux } from '../../../src/linux/linux.ts'

type Type = NftExpression['type']

interface Row {
  readonly nft: string
  readonly chain?: 'before' | 'after'
  readonly expressions: readonly NftExpression[]
}

const bytes = (...values: number[]) => Uint8Array.from(values)
const text = (name: string, length = 16) => Uint8Array.from({ length }, (_, i) => name.charCodeAt(i) || 0)
/** As the machine keeps numbers. */
const host = (value: number) => new Uint8Array(Uint32Array.of(value).buffer)

const isIpv4: readonly NftExpression[] = [
  { type: 'meta', key: 'nfproto', register: 1 },
  { type: 'cmp', register: 1, operator: 'eq', value: bytes(2) },
]
const isTcp: readonly NftExpression[] = [
  { type: 'meta', key: 'l4proto', register: 1 },
  { type: 'cmp', register: 1, operator: 'eq', value: bytes(6) },
]
const saddr: NftExpression = { type: 'payload', base: 'network', offset: 12, length: 4, register: 1 }
const dport: NftExpression = { type: 'payload', base: 'transport', offset: 2, length: 2, register: 1 }

const rows: readonly Row[] = [
  { nft: 'accept', expressions: [{ type: 'verdict', verdict: 'accept' }] },
  { nft: 'drop', expressions: [{ type: 'verdict', verdict: 'drop' }] },
  { nft: 'return', expressions: [{ type: 'verdict', verdict: 'return' }] },
  { nft: 'continue', expressions: [{ type: 'verdict', verdict: 'continue' }] },
  { nft: 'jump other', expressions: [{ type: 'verdict', verdict: 'jump', chain: 'other' }] },
  { nft: 'goto other', expressions: [{ type: 'verdict', verdict: 'goto', chain: 'other' }] },
  { nft: 'counter', expressions: [{ type: 'counter', packets: 0n, bytes: 0n }] },
  { nft: 'counter packets 7 bytes 420', expressions: [{ type: 'counter', packets: 7n, bytes: 420n }] },
  {
    nft: 'meta iifname "eth0"',
    expressions: [
      { type: 'meta', key: 'iifname', register: 1 },
      { type: 'cmp', register: 1, operator: 'eq', value: text('eth0') },
    ],
  },
  {
    nft: 'meta oifname != "eth*"',
    expressions: [
      { type: 'meta', key: 'oifname', register: 1 },
      { type: 'cmp', register: 1, operator: 'neq', value: text('eth', 3) },
    ],
  },
  {
    nft: 'meta mark set 5',
    expressions: [
      { type: 'immediate', register: 1, value: host(5) },
      { type: 'meta set', key: 'mark', source: 1 },
    ],
  },
  {
    nft: 'ip saddr 10.0.0.0/9',
    expressions: [
      ...isIpv4,
      saddr,
      { type: 'bitwise', source: 1, register: 1, mask: bytes(255, 128, 0, 0), xor: bytes(0, 0, 0, 0) },
      { type: 'cmp', register: 1, operator: 'eq', value: bytes(10, 0, 0, 0) },
    ],
  },
  {
    nft: 'tcp dport 80-90',
    expressions: [
      ...isTcp,
      dport,
      { type: 'cmp', register: 1, operator: 'gte', value: bytes(0, 80) },
      { type: 'cmp', register: 1, operator: 'lte', value: bytes(0, 90) },
    ],
  },
  {
    nft: 'tcp dport != 80-90',
    expressions: [
      ...isTcp,
      dport,
      { type: 'range', register: 1, operator: 'neq', from: bytes(0, 80), to: bytes(0, 90) },
    ],
  },
  {
    nft: 'ether saddr 02:00:00:00:00:01',
    expressions: [
      { type: 'meta', key: 'iiftype', register: 1 },
      { type: 'cmp', register: 1, operator: 'eq', value: host(1).subarray(0, 2) },
      { type: 'payload', base: 'link', offset: 6, length: 6, register: 1 },
      { type: 'cmp', register: 1, operator: 'eq', value: bytes(2, 0, 0, 0, 0, 1) },
    ],
  },
  { nft: 'ip saddr @addresses', expressions: [...isIpv4, saddr, { type: 'lookup', set: 'addresses', source: 1 }] },
  {
    nft: 'ip saddr != @addresses',
    expressions: [...isIpv4, saddr, { type: 'lookup', set: 'addresses', source: 1, inverted: true }],
  },
  {
    nft: 'ip saddr vmap @verdicts',
    expressions: [...isIpv4, saddr, { type: 'lookup', set: 'verdicts', source: 1, register: 0 }],
  },
  {
    nft: 'ct state established',
    expressions: [
      { type: 'ct', key: 'state', register: 1 },
      { type: 'bitwise', source: 1, register: 1, mask: host(2), xor: host(0) },
      { type: 'cmp', register: 1, operator: 'neq', value: host(0) },
    ],
  },
  {
    nft: 'ct original ip saddr 10.0.0.1',
    expressions: [
      { type: 'ct', key: 'src_ip', direction: 'original', register: 1 },
      { type: 'cmp', register: 1, operator: 'eq', value: bytes(10, 0, 0, 1) },
    ],
  },
  {
    nft: 'ct mark set 7',
    expressions: [
      { type: 'immediate', register: 1, value: host(7) },
      { type: 'ct set', key: 'mark', source: 1 },
    ],
  },
  {
    nft: 'fib daddr type local',
    chain: 'before',
    expressions: [
      { type: 'fib', result: 'type', flags: ['daddr'], register: 1 },
      { type: 'cmp', register: 1, operator: 'eq', value: host(2) },
    ],
  },
  {
    nft: 'fib saddr . iif oif missing',
    chain: 'before',
    expressions: [
      { type: 'fib', result: 'oif', flags: ['saddr', 'iif', 'present'], register: 1 },
      { type: 'cmp', register: 1, operator: 'eq', value: host(0) },
    ],
  },
  { nft: 'reject', expressions: [{ type: 'reject', reject: 'icmpx', code: 1 }] },
  {
    nft: 'ip protocol udp reject with icmp type host-unreachable',
    expressions: [
      ...isIpv4,
      { type: 'payload', base: 'network', offset: 9, length: 1, register: 1 },
      { type: 'cmp', register: 1, operator: 'eq', value: bytes(17) },
      { type: 'reject', reject: 'icmp', code: 1 },
    ],
  },
  { nft: 'reject with tcp reset', expressions: [...isTcp, { type: 'reject', reject: 'tcp reset', code: 0 }] },
  { nft: 'log', expressions: [{ type: 'log' }] },
  { nft: 'log prefix "seen: "', expressions: [{ type: 'log', prefix: 'seen: ' }] },
  { nft: 'log prefix "seen" level info', expressions: [{ type: 'log', prefix: 'seen', level: 6 }] },
  { nft: 'log level debug flags ip options', expressions: [{ type: 'log', level: 7, flags: 4 }] },
  {
    nft: 'log group 5 snaplen 64 queue-threshold 3',
    expressions: [{ type: 'log', group: 5, snapLength: 64, threshold: 3 }],
  },
  {
    nft: 'limit rate 10/second burst 20 packets',
    expressions: [{ type: 'limit', rate: 10n, unit: 1n, burst: 20 }],
  },
  {
    nft: 'limit rate over 512 bytes/minute',
    expressions: [{ type: 'limit', rate: 512n, unit: 60n, burst: 0, over: true, bytes: true }],
  },
  { nft: 'masquerade', chain: 'after', expressions: [{ type: 'masquerade' }] },
  { nft: 'masquerade random,persistent', chain: 'after', expressions: [{ type: 'masquerade', flags: 12 }] },
  {
    nft: 'meta l4proto tcp masquerade to :1024-2048',
    chain: 'after',
    expressions: [
      ...isTcp,
      { type: 'immediate', register: 1, value: bytes(4, 0) },
      { type: 'immediate', register: 2, value: bytes(8, 0) },
      { type: 'masquerade', portMin: 1, portMax: 2 },
    ],
  },
  {
    nft: 'snat ip to 192.0.2.1',
    chain: 'after',
    expressions: [
      { type: 'immediate', register: 1, value: bytes(192, 0, 2, 1) },
      { type: 'nat', kind: 'snat', family: 'ip', addressMin: 1 },
    ],
  },
  {
    nft: 'snat ip to 192.0.2.1-192.0.2.9 random',
    chain: 'after',
    expressions: [
      { type: 'immediate', register: 1, value: bytes(192, 0, 2, 1) },
      { type: 'immediate', register: 2, value: bytes(192, 0, 2, 9) },
      { type: 'nat', kind: 'snat', family: 'ip', addressMin: 1, addressMax: 2, flags: 4 },
    ],
  },
  {
    nft: 'meta l4proto tcp dnat ip6 to [2001:db8::1]:80',
    chain: 'before',
    expressions: [
      ...isTcp,
      { type: 'immediate', register: 1, value: bytes(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1) },
      { type: 'immediate', register: 2, value: bytes(0, 80) },
      { type: 'nat', kind: 'dnat', family: 'ip6', addressMin: 1, portMin: 2 },
    ],
  },
  {
    nft: 'meta l4proto tcp redirect to :8080',
    chain: 'before',
    expressions: [
      ...isTcp,
      { type: 'immediate', register: 1, value: bytes(31, 144) },
      { type: 'redirect', portMin: 1 },
    ],
  },
  // What our list does not know keeps its bytes, and so its meaning.
  {
    nft: 'quota over 10 mbytes',
    expressions: [other('quota', '0c0001000000000000a000000c000400000000000000000008000200 00000001')],
  },
  { nft: 'notrack', chain: 'before', expressions: [other('notrack', '')] },
]

const chains = ['filter', 'before', 'after'] as const
const table = (name: string) => ({ family: 'inet', table: name }) as const

beforeAll(() => {
  const inChain = (chain: string) => rows.filter((row) => (row.chain ?? 'filter') === chain)
  const lines = (chain: string) => inChain(chain).map(({ nft }) => `    ${nft}`)
  const theirs = `table inet theirs {
  set addresses { type ipv4_addr; }
  map verdicts { type ipv4_addr : verdict; }
  chain other { }
  chain filter { type filter hook forward priority 0;\n${lines('filter').join('\n')}\n  }
  chain before { type nat hook prerouting priority -100;\n${lines('before').join('\n')}\n  }
  chain after { type nat hook postrouting priority 100;\n${lines('after').join('\n')}\n  }\n}\n`
  execFileSync('nft', ['-f', '-'], { input: theirs })

  const ours = table('ours')
  const operations: NftOperation[] = [
    { operation: 'create table', table: { family: 'inet', name: 'ours' } },
    { operation: 'add set', set: { ...ours, name: 'addresses', keyType: NftType.ipv4Address, keyLength: 4 } },
    {
      operation: 'add set',
      set: { ...ours, name: 'verdicts', keyType: NftType.ipv4Address, keyLength: 4, data: { type: 'verdict' } },
    },
    { operation: 'add chain', chain: { ...ours, name: 'other' } },
    {
      operation: 'add chain',
      chain: { ...ours, name: 'filter', base: { type: 'filter', hook: 'forward', priority: 0 } },
    },
    {
      operation: 'add chain',
      chain: { ...ours, name: 'before', base: { type: 'nat', hook: 'prerouting', priority: -100 } },
    },
    {
      operation: 'add chain',
      chain: { ...ours, name: 'after', base: { type: 'nat', hook: 'postrouting', priority: 100 } },
    },
    ...rows.map(
      ({ chain = 'filter', expressions }): NftOperation => ({
        operation: 'add rule',
        rule: { ...ours, chain, expressions },
      }),
    ),
  ]
  linux.nftables.commit(operations)
})

for (const chain of chains) {
  const rowsHere = rows.filter((row) => (row.chain ?? 'filter') === chain)
  for (const [index, { nft, expressions }] of rowsHere.entries()) {
    test(`we read nft's "${nft}"`, () => {
      assert.deepEqual(linux.nftables.rules({ ...table('theirs'), name: chain })[index]!.expressions, expressions)
    })
    test(`we read our "${nft}" as we made it`, () => {
      assert.deepEqual(linux.nftables.rules({ ...table('ours'), name: chain })[index]!.expressions, expressions)
    })
    test(`nft reads our "${nft}"`, () => {
      assert.equal(ruleTexts('ours', chain)[index], ruleTexts('theirs', chain)[index])
    })
  }
}

test('every expression has a row', () => {
  const all: { readonly [T in Exclude<Type, 'xt match' | 'xt target'>]: true } = {
    meta: true,
    'meta set': true,
    payload: true,
    cmp: true,
    range: true,
    bitwise: true,
    lookup: true,
    immediate: true,
    verdict: true,
    counter: true,
    masquerade: true,
    nat: true,
    redirect: true,
    ct: true,
    'ct set': true,
    fib: true,
    reject: true,
    log: true,
    limit: true,
    other: true,
  }
  const seen = new Set(rows.flatMap(({ expressions }) => expressions.map(({ type }) => type)))
  assert.deepEqual([...seen].sort(), Object.keys(all).sort())
})

test('the kernel lists registers 8 and 12 as 1 and 2, and 9 as it is', () => {
  const ours = { ...table('registers'), chain: 'c' }
  const rule = (first: number, second: number, third: number) => ({
    ...ours,
    expressions: [first, second, third].map((register): NftExpression => ({ type: 'meta', key: 'mark', register })),
  })
  linux.nftables.commit([
    { operation: 'create table', table: { family: 'inet', name: 'registers' } },
    { operation: 'add chain', chain: { ...table('registers'), name: 'c' } },
    { operation: 'add rule', rule: rule(8, 12, 9) },
  ])
  const [listed] = linux.nftables.rules({ ...table('registers'), name: 'c' })
  assert.deepEqual(listed?.expressions, rule(1, 2, 9).expressions)
})

/** The chain's rules as nft shows them, in order. */
function ruleTexts(tableName: string, chain: string): string[] {
  const listing = execFileSync('nft', ['list', 'chain', 'inet', tableName, chain], { encoding: 'utf8' })
  const lines = listing.split('\n').map((line) => line.trim())
  return lines.slice(lines.findIndex((line) => line.startsWith('type ')) + 1, -3)
}

function other(name: string, hex: string): NftExpression {
  return { type: 'other', name, data: new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex')) }
}
