/** A bridge of the model beside one of Linux: random frames and changes of ports, and the same at every capture. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, beforeAll, test } from 'vitest'
import { BothKernels, fromHex } from './both-kernels.ts'

const BRIDGE = '02:0b:00:00:00:01'
const ends = ['b', 'c', 'd'] as const
const macOf = (end: string) => `02:00:00:00:00:0${ends.indexOf(end as 'b') + 1}`
const portMac = (end: string) => `02:01:00:00:00:0${ends.indexOf(end as 'b') + 1}`

const both = new BothKernels('a', ...ends)

beforeAll(async () => {
  both.each(({ a }) => a!.links.add({ kind: 'bridge', name: 'br0', mac: BRIDGE, up: true }))
  for (const end of ends) {
    await both.pair(`${end}:eth0`, macOf(end), `a:v${end}`, portMac(end))
    both.each(({ a }) => a!.links.set(`v${end}`, { master: 'br0' }))
  }
  await both.isUp('a:br0')
})
afterAll(() => both.close())

const mac = fc.constantFrom(...ends.map(macOf), ...ends.map(portMac), BRIDGE, '02:00:00:00:99:99', '02:00:00:00:99:98')
const group = fc.constantFrom(
  'ff:ff:ff:ff:ff:ff',
  '01:00:5e:01:02:03',
  '33:33:00:00:00:09',
  '01:80:c2:00:00:00',
  '01:80:c2:00:00:01',
  '01:80:c2:00:00:02',
  '01:80:c2:00:00:0e',
)
const frame = fc.record({
  kind: fc.constant('frame' as const),
  at: fc.constantFrom(...ends.map((end) => `${end}:eth0`), 'a:br0', 'a:vb'),
  to: fc.oneof({ weight: 4, arbitrary: mac }, group),
  from: fc.oneof({ weight: 8, arbitrary: mac }, fc.constantFrom('03:00:00:00:00:01', '00:00:00:00:00:00')),
  length: fc.constantFrom(46, 46, 46, 1282, 1284, 1285, 1500),
})
const change = fc.record({
  kind: fc.constant('port' as const),
  port: fc.constantFrom(...ends.map((end) => `v${end}`)),
  flag: fc.constantFrom('hairpin', 'isolated', 'learning', 'flood', 'multicastFlood', 'broadcastFlood' as const),
  on: fc.boolean(),
})
const resize = fc.record({
  kind: fc.constant('mtu' as const),
  port: fc.constantFrom(...ends.map((end) => `v${end}`)),
  mtu: fc.constantFrom(1280, 1500),
})
const entry = fc.record({
  kind: fc.constant('fdb' as const),
  port: fc.constantFrom(...ends.map((end) => `v${end}`)),
  mac,
  state: fc.constantFrom('permanent', 'static', 'dynamic' as const),
  operation: fc.constantFrom('add', 'replace', 'delete' as const),
})
const reattach = fc.record({ kind: fc.constant('reattach' as const), port: fc.constantFrom('vc', 'vd') })
const step = fc.oneof(
  { weight: 12, arbitrary: frame },
  { weight: 4, arbitrary: change },
  { weight: 1, arbitrary: resize },
  { weight: 3, arbitrary: entry },
  { weight: 1, arbitrary: reattach },
)

test('frames go the same ways, and the same is learned', { timeout: 300_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
      restore()
      await both.take()
      for (const [i, each] of steps.entries()) {
        if (each.kind === 'frame') {
          both.send(
            each.at,
            fromHex(`${each.to}${each.from}0900${i.toString(16).padStart(2, '0')}${'00'.repeat(each.length - 1)}`),
          )
        } else if (each.kind === 'port') {
          both.each(({ a }) => a!.links.set(each.port, { port: { [each.flag]: each.on } }))
        } else if (each.kind === 'mtu') {
          both.each(({ a }) => a!.links.set(each.port, { mtu: each.mtu }))
        } else if (each.kind === 'reattach') {
          both.each(({ a }) => {
            a!.links.set(each.port, { master: null })
            a!.links.set(each.port, { master: 'br0' })
          })
        } else {
          const { port, mac: address, state, operation } = each
          const [linux, model] = both.outcomes(({ a }) =>
            operation === 'delete'
              ? a!.fdb.delete({ link: port, mac: address, owner: 'master' })
              : a!.fdb[operation]({ link: port, mac: address, owner: 'master', state }),
          )
          assert.equal(model, linux, JSON.stringify(each))
        }
      }
      await both.compare()
      assert.deepEqual(tables(both.model.a!), tables(both.linux.a!))
    }),
    { numRuns: 60, ...(process.env.SEED && { seed: Number(process.env.SEED) }) },
  )
})

/** Every port as at first, and nothing learned. */
function restore(): void {
  both.each(({ a }) => {
    for (const end of ends) {
      a!.links.set(`v${end}`, { master: null })
      a!.links.set(`v${end}`, { master: 'br0', mtu: 1500 })
    }
    a!.links.set('br0', { mtu: 1500 })
  })
}

function tables(kernel: (typeof both)['linux'][string]): string[] {
  return kernel!.fdb
    .list()
    .filter(({ owner }) => owner === 'master')
    .map(({ link, mac: address, state }) => `${address} ${link} ${state}`)
    .sort()
}
