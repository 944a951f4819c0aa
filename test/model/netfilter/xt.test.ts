/** iptables' extensions that depend on time, on chance or on a bridge. The others: test/linux/netfilter/model-packets, model-forwarding. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { NftExpression, NftOperation } from '../../../src/kernel/nftables.ts'
import type { XtMatch, XtTarget } from '../../../src/kernel/xtables.ts'
import type { Device } from '../../../src/model/device/device.ts'
import type { Namespace } from '../../../src/model/namespace.ts'
import { Hook, runHook } from '../../../src/model/netfilter/hooks.ts'
import type { Packet } from '../../../src/model/packet.ts'
import { addPlug, plainNamespace, received } from './plain-namespace.ts'

const SECOND = 1_000_000

/** From 10.0.0.`n`, one byte of UDP. */
const from = (n: number) =>
  `020000000002 020000000001 0800 4500001d00010000401100000a0000${n.toString(16).padStart(2, '0')}0a0000010fa000350009000078`

interface Rig {
  readonly namespace: Namespace
  readonly device: Device
  /** Whether a packet of 10.0.0.`n` matches. */
  matches(n?: number, prepare?: (packet: Packet) => void): boolean
}

/** A chain that drops what matches. */
function rig(...matches: XtMatch[]): Rig {
  const { namespace } = plainNamespace()
  const device = addPlug(namespace, 'eth0')
  const name = { family: 'ip', table: 'filter' } as const
  const expressions = matches.map((match): NftExpression => ({ type: 'xt match', ...match }))
  namespace.nftables.commit([
    { operation: 'add table', table: { family: 'ip', name: 'filter' } },
    { operation: 'add chain', chain: { ...name, name: 'c', base: { type: 'filter', hook: 'forward', priority: 0 } } },
    {
      operation: 'add rule',
      rule: { ...name, chain: 'c', expressions: [...expressions, { type: 'verdict', verdict: 'drop' }] },
    },
  ])
  return {
    namespace,
    device,
    matches(n = 7, prepare) {
      const packet = received(from(n), device)
      prepare?.(packet)
      return !runHook(namespace, 'ip', Hook.forward, packet, device, device)
    },
  }
}

const count = (times: number, holds: () => boolean) => Array.from({ length: times }, holds).filter(Boolean).length

test('recent counts who came how often within the last seconds', () => {
  const set: XtMatch = { match: 'recent', action: 'set', name: 'ssh', side: 'source', invert: false }
  const check: XtMatch = {
    match: 'recent',
    action: 'rcheck',
    name: 'ssh',
    side: 'source',
    seconds: 60,
    hitCount: 3,
    invert: false,
  }
  const { matches, namespace } = rig(set, check)
  assert.equal(matches(7), false)
  assert.equal(matches(7), false)
  assert.equal(matches(8), false)
  assert.equal(matches(7), true)
  namespace.model.advance(61 * SECOND)
  assert.equal(matches(7), false)
})

test('recent keeps a hundred addresses and forgets the one that was not seen for the longest time', () => {
  const set: XtMatch = { match: 'recent', action: 'set', name: 'all', side: 'source', invert: false }
  const check: XtMatch = { match: 'recent', action: 'rcheck', name: 'all', side: 'source', hitCount: 2, invert: false }
  const { matches } = rig(set, check)
  for (let n = 1; n <= 101; n++) assert.equal(matches(n), false)
  assert.equal(matches(2), true)
  assert.equal(matches(1), false)
})

test('limit lets a burst match, then as many as its average says', () => {
  const { matches, namespace } = rig({ match: 'limit', average: 1000, burst: 5 })
  assert.equal(
    count(20, () => matches()),
    5,
  )
  namespace.model.advance(SECOND / 2)
  assert.equal(
    count(20, () => matches()),
    5,
  )
  namespace.model.advance(SECOND / 5)
  assert.equal(
    count(20, () => matches()),
    2,
  )
})

test('statistic matches as often as its probability says, the same ones in each run', () => {
  const third: XtMatch = { match: 'statistic', mode: 'random', probability: Math.round(2 ** 31 / 3), invert: false }
  const runs = [rig(third), rig(third)].map(({ matches }) => Array.from({ length: 3000 }, () => matches()))
  const hits = runs[0]!.filter(Boolean).length
  assert.ok(hits > 900 && hits < 1100, `${hits} of 3000`)
  assert.deepEqual(runs[0], runs[1])
})

test('physdev knows the ports of a bridged packet, and nothing of others', () => {
  const rows: readonly (readonly [
    Omit<Extract<XtMatch, { match: 'physdev' }>, 'match'>,
    bridged: boolean,
    other: boolean,
  ])[] = [
    [{ isBridged: { value: true, invert: false } }, true, false],
    [{ isBridged: { value: true, invert: true } }, false, true],
    [{ input: { value: 'veth+', invert: false } }, true, false],
    [{ input: { value: 'veth2', invert: false } }, false, false],
    [{ output: { value: 'veth2', invert: false }, isIn: { value: true, invert: false } }, true, false],
    [{ output: { value: 'veth2', invert: true } }, false, true],
  ]
  for (const [conditions, bridged, other] of rows) {
    const { matches, namespace } = rig({ match: 'physdev', ...conditions })
    const [input, output] = [addPlug(namespace, 'veth1'), addPlug(namespace, 'veth2')]
    const cross = (packet: Packet) => {
      packet.bridged = {
        input,
        output,
        inPrerouting: false,
        handedUp: false,
        otherHost: false,
        fragmentMaxSize: 0,
        source: undefined,
      }
    }
    assert.equal(matches(7, cross), bridged, JSON.stringify(conditions))
    assert.equal(matches(7), other, JSON.stringify(conditions))
  }
})

test('MARK changes the bits of its mask', () => {
  const { namespace } = plainNamespace()
  const device = addPlug(namespace, 'eth0')
  const name = { family: 'ip', table: 'mangle' } as const
  const target = (it: XtTarget): NftOperation => ({
    operation: 'add rule',
    rule: { ...name, chain: 'c', expressions: [{ type: 'xt target', ...it }] },
  })
  namespace.nftables.commit([
    { operation: 'add table', table: { family: 'ip', name: 'mangle' } },
    {
      operation: 'add chain',
      chain: { ...name, name: 'c', base: { type: 'filter', hook: 'forward', priority: -150 } },
    },
    // --set-xmark 0x4000/0x4000, --set-xmark 0xf0000000/0xff000000
    target({ target: 'MARK', value: 0x4000, mask: 0x4000 }),
    target({ target: 'MARK', value: 0xf0000000, mask: 0xff000000 }),
  ])
  const packet = received(from(7), device)
  packet.mark = 0x0102_0304
  assert.equal(runHook(namespace, 'ip', Hook.forward, packet, device, device), true)
  assert.equal(packet.mark, 0xf002_4304)
})
