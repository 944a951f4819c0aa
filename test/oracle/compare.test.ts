/** What may differ between two walks, and how the first difference is shown: held to test/golden/compare, and by itself. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, test } from 'vitest'
import { differenceOfWalks } from '../../src/oracle/compare.ts'
import { type Difference, formatDifference } from '../../src/oracle/difference.ts'
import { LEEWAY, type Leeway } from '../../src/oracle/leeway.ts'
import type { Row, Walk } from '../../src/oracle/walk.ts'
import { chance, mutate } from './mutations.ts'
import { echo, tcp, udp } from './scenarios/frames.ts'
import { type Golden, goldenIds, readGolden } from './scenarios/rig.ts'

const goldens = join(import.meta.dirname, '../golden')
const folder = mkdtempSync(join(tmpdir(), 'overlab-compare-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** As the suite's own judge takes a golden: without `inject`, what the pods sent is given. */
function judge(golden: Golden, found: Walk): Difference | undefined {
  const isFromPod = ({ at, dir }: Row) => dir === 'out' && /^p\d+:eth0$/.test(at)
  const { inject, obs } = golden
  const given = inject.length > 0 ? inject.map(({ hex }) => hex) : obs.filter(isFromPod).map(({ hex }) => hex)
  return differenceOfWalks(golden, found, given, { ...LEEWAY, realSockets: inject.length === 0 })
}

describe('the verdict on a walk that was changed by chance is that of test/golden/compare', () => {
  for (const seed of [1, 2, 3]) {
    test(`seed ${seed}`, () => {
      const draw = chance(seed)
      const output = join(folder, String(seed))
      mkdirSync(output)
      const ours = goldenIds.map((id) => {
        const golden = readGolden(id)
        const { obs, expect, result } = golden
        const changed = mutate({ id, obs, ...(expect && { expect }), ...(result && { result }) }, golden.watch, draw)
        writeFileSync(join(output, `${id}.json`), JSON.stringify(changed))
        return `${judge(golden, changed) ? 'FAIL' : 'PASS'} ${id}`
      })
      const { stdout } = spawnSync('python3', [join(goldens, 'compare'), goldens, output, '--only', goldenIds.join()], {
        encoding: 'utf8',
      })
      const theirs = stdout.split('\n').flatMap((line) => /^(?:PASS|FAIL) S\d\d/.exec(line) ?? [])
      assert.deepEqual(ours, theirs)
      assert.ok(ours.some((verdict) => verdict.startsWith('PASS')))
      assert.ok(ours.some((verdict) => verdict.startsWith('FAIL')))
    })
  }
})

const way = { from: '02:00:00:00:00:01', to: '02:00:00:00:00:02', source: '10.0.0.1', destination: '10.0.0.2' }
const row = (at: string, dir: Row['dir'], hex: string, t = 0): Row => ({ t, at, dir, len: hex.length / 2, hex })
const walk = (...obs: Row[]): Walk => ({ id: 'x', obs })
const compare = (expected: Walk, found: Walk, given: string[] = [], leeway: Partial<Leeway> = {}) =>
  differenceOfWalks(expected, found, given, { ...LEEWAY, ...leeway })

test('the first field that differs is named by its header, with both values', () => {
  const expected = walk(row('n1:eth0', 'in', udp(way)), row('n1:cni0', 'out', udp({ ...way, ttl: 62 })))
  const found = walk(row('n1:eth0', 'in', udp(way)), row('n1:cni0', 'out', udp({ ...way, ttl: 63 })))
  const difference = compare(expected, found)
  assert.equal(difference?.what, 'n1:cni0 out, frame 1: ipv4.ttl 63, expected 62')
  assert.deepEqual(formatDifference(difference).split('\n').slice(1), [
    '  - expected   + found   >xx differs',
    '    0000  02 00 00 00 00 02 02 00 00 00 00 01 08 00 45 00',
    '  - 0010  00 1d 00 01 00 00>3e 11>68 cd 0a 00 00 01 0a 00',
    '  + 0010  00 1d 00 01 00 00>3f 11>67 cd 0a 00 00 01 0a 00',
    '    0020  00 02 0f a0 0f a1 00 09 8b 98 41',
  ])
})

test('what is quoted in an ICMP error is named as quoted, what a tunnel carries as inner', () => {
  const s07 = readGolden('S07')
  const at = s07.obs.findIndex(({ at, len }) => at === 'n2:eth0' && len === 121)
  assert.ok(at >= 0)
  const changed = (offset: number) => {
    const bytes = Buffer.from(s07.obs[at]!.hex, 'hex')
    bytes[offset] = bytes[offset]! ^ 1
    return judge(s07, { ...s07, obs: s07.obs.with(at, { ...s07.obs[at]!, hex: bytes.toString('hex') }) })?.what
  }
  assert.match(changed(50 + 14 + 8)!, /inner\.ipv4\.ttl 65, expected 64/)
  assert.match(changed(50 + 14 + 20 + 8 + 8)!, /inner\.quoted\.ipv4\.ttl/)
})

test('an ID that a kernel made may be any, but it stays; that of a given frame is the same', () => {
  const made = (a: number, b: number) =>
    walk(row('n1:eth0', 'in', echo({ ...way, id: a })), row('n1:cni0', 'out', echo({ ...way, id: b }), 0.1))
  assert.equal(compare(made(7, 7), made(9, 9)), undefined)
  assert.match(compare(made(7, 7), made(9, 8))!.what, /ipv4\.identification 8, expected 7 .*at another tap/)
  assert.match(compare(made(7, 7), made(9, 9), [echo({ ...way, id: 7 })])!.what, /ipv4\.identification 9, expected 7/)
})

test('a port that NAT drew may be another of its class, if no rule and no frame names it', () => {
  const drawn = (port: number) => walk(row('n1:eth0', 'out', udp(way, 29, [port, 53])))
  const named = { namedPorts: [53, 40_001] }
  assert.match(compare(drawn(40_000), drawn(40_002))!.what, /udp\.sourcePort 40002, expected 40000/)
  assert.equal(compare(drawn(40_000), drawn(40_002), [], named), undefined)
  assert.match(compare(drawn(40_000), drawn(1023), [], named)!.what, /NAT port/)
  assert.match(compare(drawn(40_000), drawn(40_001), [], named)!.what, /NAT port/)
  assert.match(compare(drawn(40_001), drawn(40_002), [], named)!.what, /udp\.sourcePort/)
})

test('taps of one packet come in their order, packets among each other in any', () => {
  const [first, second] = [udp({ ...way, id: 1 }), udp({ ...way, source: '10.0.0.3', id: 2 })]
  const expected = walk(row('a:x', 'in', first, 0), row('a:y', 'out', first, 1), row('a:x', 'in', second, 2))
  const early = walk(row('a:x', 'in', second, 0), row('a:x', 'in', first, 0), row('a:y', 'out', first, 0))
  const reversed = walk(row('a:y', 'out', first, 0), row('a:x', 'in', first, 1), row('a:x', 'in', second, 2))
  assert.equal(compare(expected, early), undefined)
  assert.equal(compare(expected, reversed)?.kind, 'order')
  const tie = walk(row('a:x', 'in', first, 0), row('a:y', 'out', first, 0), row('a:x', 'in', second, 2))
  assert.equal(compare(tie, reversed), undefined)
})

test('a frame comes within 100 ms of its distance from the given frame before it', () => {
  const given = udp(way)
  const answer = tcp(way, { ports: [1, 2], flags: 4, sequence: 0 })
  const after = (t: number) => walk(row('a:x', 'out', given, 0), row('a:x', 'in', answer, t))
  assert.equal(compare(after(3000), after(3090), [given]), undefined)
  assert.match(compare(after(3000), after(3110), [given])!.what, /3110\.0 ms behind .* expected 2900\.0 to 3100\.0/)
  assert.equal(compare(after(0), after(800), [given], { tolerance: 900 }), undefined)
})

test('a frame that is missing, and one too many', () => {
  const [a, b] = [row('a:x', 'out', udp(way)), row('a:y', 'in', udp(way), 1)]
  assert.equal(compare(walk(a, b), walk(a))?.what, 'a:y in, frame 1 is missing')
  assert.equal(compare(walk(a), walk(a, b))?.what, 'a:y in at 1.0 ms: a frame that was not expected')
})
