/** VXLAN of the model beside that of Linux: what is pushed before a frame, what is taken off, and what is learned. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, beforeAll, test } from 'vitest'
import type { CapturedPacket, LiveKernel } from '../../../src/kernel/live.ts'
import { BothKernels, fromHex, ipv4Frame } from './both-kernels.ts'

const both = new BothKernels('a', 'b')
const OWN = '02:f1:00:00:00:01'
const UNDERLAY = { a: '02:00:00:00:00:01', b: '02:00:00:00:00:02' } as const
const names = ['vx', 'learning'] as const

beforeAll(async () => {
  await both.pair('a:eth0', UNDERLAY.a, 'b:eth0', UNDERLAY.b)
  both.each(({ a }) => {
    a!.addresses.add({ link: 'eth0', prefix: '192.168.56.11/24' })
    a!.addresses.add({ link: 'eth0', prefix: '192.168.56.21/24' })
    for (const last of [12, 13, 14]) {
      a!.neighbours.add({ link: 'eth0', address: `192.168.56.${last}`, mac: UNDERLAY.b })
    }
    a!.links.add({
      kind: 'vxlan',
      name: 'vx',
      mac: OWN,
      vxlan: { vni: 1, device: 'eth0', local: '192.168.56.11', port: 8472, learning: false },
      up: true,
    })
    a!.links.add({
      kind: 'vxlan',
      name: 'learning',
      mac: OWN,
      vxlan: { vni: 2, port: 8472, remote: '192.168.56.14', ttl: 9 },
      up: true,
    })
  })
})
afterAll(() => both.close())

const mac = fc.constantFrom('02:f1:00:00:00:02', '02:f1:00:00:00:03', '02:f1:00:00:00:04', OWN)
const to = fc.oneof(mac, fc.constantFrom('ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:09'))
const link = fc.constantFrom(...names)
const address = fc.constantFrom('192.168.56.12', '192.168.56.13', '192.168.56.14')
const tos = fc.constantFrom(0, 1, 2, 3, 0xb8, 0xb9, 0xbb)

const out = fc.record({
  kind: fc.constant('out' as const),
  link,
  to,
  from: mac,
  tos,
  size: fc.constantFrom(1, 1000, 1422, 1472),
})
const into = fc.record({
  kind: fc.constant('in' as const),
  source: address,
  outerTos: tos,
  flags: fc.constantFrom(
    '08000000',
    '08000000',
    '08000000',
    '08000000',
    '00000000',
    '88000000',
    '08000001',
    '0c000000',
  ),
  vni: fc.constantFrom('00000100', '00000200', '00000200', '00000300', '00000101'),
  checksum: fc.boolean(),
  to: fc.oneof(mac, fc.constant(OWN)),
  from: fc.oneof({ weight: 5, arbitrary: mac }, fc.constantFrom('03:00:00:00:00:01', '00:00:00:00:00:00')),
  tos,
  cut: fc.constantFrom(0, 0, 0, 0, 40, 50),
})
const entry = fc.record({
  kind: fc.constant('fdb' as const),
  link,
  mac: fc.oneof({ weight: 4, arbitrary: mac }, fc.constantFrom('00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff')),
  destination: address,
  state: fc.constantFrom('permanent', 'static', 'dynamic' as const),
  operation: fc.constantFrom('add', 'append', 'append', 'replace', 'delete', 'delete all' as const),
})
const step = fc.oneof({ weight: 4, arbitrary: out }, { weight: 4, arbitrary: into }, { weight: 4, arbitrary: entry })

test('the same is sent, received and learned', { timeout: 300_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), async (steps) => {
      restore()
      await both.take()
      for (const each of steps) {
        if (each.kind === 'out') {
          both.send(`a:${each.link}`, inner(each))
        } else if (each.kind === 'in') {
          both.send('b:eth0', outer(each))
        } else {
          const { link: device, mac: key, destination, state, operation } = each
          const [linux, model] = both.outcomes(({ a }) => {
            const wanted = { link: device, mac: key, owner: 'self' as const }
            if (operation === 'delete') a!.fdb.delete({ ...wanted, destination })
            else if (operation === 'delete all') a!.fdb.delete(wanted)
            else a!.fdb[operation]({ ...wanted, destination, state })
          })
          assert.equal(model, linux, JSON.stringify(each))
        }
      }
      await both.compare(withoutChance)
      assert.deepEqual(tables(both.model.a!), tables(both.linux.a!))
    }),
    { numRuns: 60, ...(process.env.SEED && { seed: Number(process.env.SEED) }) },
  )
})

interface Inner {
  readonly to: string
  readonly from: string
  readonly tos: number
  readonly size?: number
}

function inner({ to: destination, from, tos: field, size = 1 }: Inner): Uint8Array {
  return ipv4Frame({ to: destination, from, source: '10.244.0.2', destination: '10.244.1.2', tos: field, size })
}

function outer(
  frame: Inner & { source: string; outerTos: number; flags: string; vni: string; checksum: boolean; cut: number },
) {
  const carried = [...fromHex(`${frame.flags}${frame.vni}`), ...inner(frame)]
  const payload = Uint8Array.from(carried.slice(0, carried.length - frame.cut))
  return ipv4Frame({
    to: UNDERLAY.a,
    from: UNDERLAY.b,
    source: frame.source,
    destination: '192.168.56.11',
    tos: frame.outerTos,
    ports: [40000, 8472],
    payload,
    checksum: frame.checksum,
  })
}

/** Outer packets without the numbers that are drawn, and what they change. */
function withoutChance(bytes: Uint8Array, { link: device }: CapturedPacket): Uint8Array {
  return device === 'eth0' && bytes[12] === 8 && bytes[13] === 0 ? masked(bytes) : bytes
}

function masked(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice()
  // Linux marks the inner header where the capture's copy still shares it.
  copy.fill(0, 65, 66)
  copy.fill(0, 74, 76)
  const isFirst = (((copy[20]! & 0x1f) << 8) | copy[21]!) === 0
  copy.fill(0, 18, 20) // identification
  copy.fill(0, 24, 26) // its checksum
  if (isFirst) {
    copy.fill(0, 34, 36) // source port
    copy.fill(0, 40, 42) // its checksum
  }
  return copy
}

/** No entry but the default one of the device that has one. */
function restore(): void {
  both.each(({ a }) => {
    for (const each of a!.fdb.list().filter(({ owner, link: of }) => owner === 'self' && names.includes(of as 'vx'))) {
      try {
        a!.fdb.delete({ link: each.link, mac: each.mac, owner: 'self' })
      } catch {} // one entry may be listed for each of its destinations
    }
    a!.fdb.append({ link: 'learning', mac: '00:00:00:00:00:00', owner: 'self', destination: '192.168.56.14' })
  })
}

function tables(kernel: LiveKernel): string[] {
  return kernel.fdb
    .list()
    .filter(({ link: of }) => names.includes(of as 'vx'))
    .map(({ link: of, mac: key, destination, state }) => `${of} ${key} ${destination} ${state}`)
    .sort()
}
