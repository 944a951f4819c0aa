/**
 * iptables' extensions in their structures. test/linux/iptables.test.ts has those that iptables makes; here is what nobody
 * makes, and that nothing gets lost.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { beforeEach, test } from 'vitest'
import type { NftExpression } from '../../../src/kernel/nftables.ts'
import { linux } from '../../../src/linux/linux.ts'
import { liveLinux } from '../../../src/linux/live.ts'
import { decodeExtension, encodeExtension } from '../../../src/linux/netfilter/xtables.ts'
import { MessageWriter } from '../../../src/linux/netlink/message.ts'

/** Sets are numbered by their names. */
const SETS = { indexOf: (name: string) => Number(name.slice(1)), nameAt: (index: number) => `s${index}` }

type Other = Extract<NftExpression, { type: 'other' }>

const kernel = liveLinux()
const iptables = (...argv: string[]) => execFileSync('iptables', argv)

beforeEach(() => {
  execFileSync('nft', ['flush', 'ruleset'])
})

/** Names and revisions that there are, and the sizes of their structures. */
const KINDS = [
  ['match', 'conntrack', 3, 168],
  ['match', 'comment', 0, 256],
  ['match', 'mark', 1, 16],
  ['match', 'addrtype', 1, 8],
  ['match', 'icmp', 0, 8],
  ['match', 'tcp', 0, 16],
  ['match', 'udp', 0, 16],
  ['match', 'multiport', 1, 48],
  ['match', 'statistic', 0, 24],
  ['match', 'physdev', 0, 72],
  ['match', 'rpfilter', 0, 8],
  ['match', 'recent', 1, 232],
  ['match', 'limit', 0, 40],
  ['match', 'pkttype', 0, 8],
  ['match', 'tcpmss', 0, 8],
  ['match', 'set', 4, 48],
  ['target', 'DNAT', 2, 48],
  ['target', 'SNAT', 0, 24],
  ['target', 'MASQUERADE', 0, 24],
  ['target', 'REJECT', 0, 8],
  ['target', 'MARK', 2, 8],
  ['target', 'CONNMARK', 2, 16],
  ['target', 'TCPMSS', 0, 8],
  ['target', 'CT', 2, 72],
  ['target', 'LOG', 0, 32],
  ['target', 'NFLOG', 0, 80],
  ['target', 'TRACE', 0, 0],
  ['target', 'SET', 3, 24],
] as const

function other(kind: string, name: string, revision: number, info: Uint8Array): Other {
  const writer = new MessageWriter().attributeText(1, name).attributeU32be(2, revision).attribute(3, info)
  return { type: 'other', name: kind, data: writer.finish().slice() }
}

for (const [kind, name, revision, size] of KINDS) {
  test(`${kind} ${name}: whatever its structure says is kept`, () => {
    const small = fc.array(fc.tuple(fc.nat(Math.max(0, size - 1)), fc.constantFrom(1, 2, 4, 8, 0x41, 0xff)), {
      maxLength: 4,
    })
    fc.assert(
      fc.property(fc.constantFrom('ip' as const, 'ip6' as const), small, (family, changes) => {
        const info = new Uint8Array(size)
        for (const [at, value] of changes) if (at < size) info[at] = value
        const given = other(kind, name, revision, info)
        const decoded = decodeExtension(given, family, SETS)
        if (decoded.type === 'other') {
          assert.deepEqual(decoded, given)
          return
        }
        // What reads alike is alike: what is written again reads so, too.
        assert.deepEqual(decodeExtension(encodeExtension(decoded, family, SETS), family, SETS), decoded)
      }),
      { numRuns: 300 },
    )
  })

  test(`${kind} ${name} of another revision or size stays as it is`, () => {
    const another = other(kind, name, revision + 1, new Uint8Array(size))
    assert.deepEqual(decodeExtension(another, 'ip', SETS), another)
    const longer = other(kind, name, revision, new Uint8Array(size + 8))
    assert.deepEqual(decodeExtension(longer, 'ip', SETS), longer)
  })
}

test('what our values have no word for stays in its bytes, and can be made again', () => {
  iptables('-A', 'INPUT', '-m', 'conntrack', '--ctexpire', '5', '-j', 'ACCEPT')
  iptables('-A', 'INPUT', '-m', 'length', '--length', '100', '-j', 'ACCEPT')
  const chain = { family: 'ip', table: 'filter', name: 'INPUT' } as const
  const rules = kernel.nftables.rules(chain)
  assert.deepEqual(
    rules.map(({ expressions }) => expressions[0]?.type),
    ['other', 'other'],
  )
  const before = execFileSync('iptables', ['-S'], { encoding: 'utf8' })
  kernel.nftables.commit([
    { operation: 'flush chain', chain },
    ...rules.map((rule) => ({ operation: 'add rule' as const, rule })),
  ])
  assert.equal(execFileSync('iptables', ['-S'], { encoding: 'utf8' }), before)
})

test('a kernel without the extensions leaves them as they are, and does not take them', () => {
  iptables('-A', 'INPUT', '-m', 'pkttype', '--pkt-type', 'broadcast', '-j', 'ACCEPT')
  const [listed] = linux.nftables.list().rules
  assert.equal(listed?.expressions[0]?.type, 'other')
  const [rule] = kernel.nftables.list().rules
  assert.deepEqual(rule?.expressions[0], { type: 'xt match', match: 'pkttype', packetType: 'broadcast', invert: false })
  assert.throws(() => linux.nftables.commit([{ operation: 'add rule', rule: rule! }]), RangeError)
})

test('a match for one protocol only is taken with the protocol before it, and not without', () => {
  const extension: NftExpression = { type: 'xt match', match: 'tcpmss', mss: { from: 536, to: 1460 }, invert: false }
  const isTcp: NftExpression[] = [
    { type: 'meta', key: 'l4proto', register: 1 },
    { type: 'cmp', register: 1, operator: 'eq', value: Uint8Array.of(6) },
  ]
  const add = (expressions: NftExpression[]) =>
    kernel.nftables.commit([
      { operation: 'add table', table: { family: 'ip', name: 'filter' } },
      { operation: 'add chain', chain: { family: 'ip', table: 'filter', name: 'c' } },
      { operation: 'add rule', rule: { family: 'ip', table: 'filter', chain: 'c', expressions } },
    ])
  add([...isTcp, extension])
  assert.throws(() => add([extension]), { errno: 'EINVAL' })
})
