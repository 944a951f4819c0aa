/** Links of the model beside those of Linux: random changes, the same refusals, and the same MTUs, MACs and entries afterwards. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, beforeEach, test } from 'vitest'
import type { LinkChange, NewLink } from '../../../src/kernel/link.ts'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import { BothKernels } from './both-kernels.ts'

const both = new BothKernels('a')
afterAll(() => both.close())
beforeEach(restore)

const names = ['v0', 'v1', 'w0', 'w1', 'br0', 'br1', 'vx', 'vy', 'lo', 'if0'] as const
const pairs: readonly NewLink[] = [
  { kind: 'veth', name: 'v0', mac: '02:00:00:00:00:20', peer: { name: 'v1', mac: '02:00:00:00:00:21' } },
  { kind: 'veth', name: 'w0', mac: '02:00:00:00:00:10', mtu: 1400, peer: { name: 'w1', mac: '02:00:00:00:00:11' } },
  { kind: 'bridge', name: 'br0', mac: '02:00:00:00:00:99' },
  // Its MAC would be drawn.
  { kind: 'bridge', name: 'br1', mac: '02:00:00:00:00:98', mtu: 9000 },
  { kind: 'vxlan', name: 'vx', mac: '02:00:00:00:00:30', vxlan: { vni: 1, port: 4789 }, mtu: 2000 },
  { kind: 'vxlan', name: 'vy', mac: '02:00:00:00:00:31', vxlan: { vni: 2, port: 4789, device: 'v0' }, mtu: 1480 },
  { kind: 'ifb', name: 'if0', mac: '02:00:00:00:00:40' },
]

function restore(): void {
  both.each(({ a }) => {
    for (const name of ['vy', 'vx', 'br0', 'br1', 'v0', 'w0', 'if0']) if (a!.links.get(name)) a!.links.delete(name)
    for (const each of pairs) a!.links.add(each)
    a!.links.set('lo', { mtu: 65536 })
  })
}

const name = fc.constantFrom(...names)
const mac = fc.constantFrom(
  '02:00:00:00:00:01',
  '02:00:00:00:00:10',
  '02:00:00:00:00:55',
  '00:00:00:00:00:00',
  '03:00:00:00:00:01',
)
const change: fc.Arbitrary<LinkChange> = fc.oneof(
  fc.record({ mtu: fc.constantFrom(67, 68, 1280, 1350, 1400, 1449, 1451, 1500, 9000, 65535, 65536) }),
  fc.record({ mac }),
  fc.record({ master: fc.constantFrom('br0', 'br1', 'v0', null) }),
  fc.record({ up: fc.boolean() }),
)
const setting = fc.record({ kind: fc.constant('set' as const), name, change })
const entry = fc.record({
  kind: fc.constant('fdb' as const),
  name: fc.constantFrom('v0', 'w0', 'vx', 'br0'),
  mac,
  state: fc.constantFrom('permanent', 'static' as const),
  operation: fc.constantFrom('add', 'replace', 'delete' as const),
})

/** The device above one with the least MTU has more than that leaves, and cannot be given it. */
const lowest = ['v0', 'vy'].map((name) => ({ kind: 'set' as const, name: name as 'v0' | 'vy', change: { mtu: 68 } }))

test('the same is refused, and the same comes of it', { timeout: 300_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 6, arbitrary: setting }, { weight: 1, arbitrary: entry }), {
        maxLength: 30,
        size: 'max',
      }),
      async (steps) => {
        restore()
        for (const each of steps) {
          const [linux, model] = both.outcomes(({ a }) => {
            if (each.kind === 'set') a!.links.set(each.name, each.change)
            else if (each.operation === 'delete') a!.fdb.delete({ link: each.name, mac: each.mac, owner: 'master' })
            else a!.fdb[each.operation]({ link: each.name, mac: each.mac, owner: 'master', state: each.state })
          })
          assert.equal(model, linux, JSON.stringify(each))
          assert.deepEqual(view(both.model.a!), view(both.linux.a!), JSON.stringify(each))
        }
      },
    ),
    { numRuns: 60, examples: [[lowest]], ...(process.env.SEED && { seed: Number(process.env.SEED) }) },
  )
})

function view(kernel: LiveKernel): string[] {
  const links = names.map((each) => {
    const link = kernel.links.get(each)!
    return `${each} mtu ${link.mtu} ${link.mac} ${link.up ? 'up' : 'down'} ${link.master ? 'port' : ''}`
  })
  const entries = kernel.fdb
    .list()
    .filter(({ owner }) => owner === 'master')
    .map((each) => `${each.mac} ${each.link} ${each.state}`)
  return [...links, ...entries.sort()]
}
