/**
 * IPIP of the model beside that of Linux: what is pushed before a packet, what is taken off, who is told of what does not fit, and
 * which device takes what comes.
 *
 *      h 10.244.0.2 ── 10.244.0.1 a 192.168.56.11 ══ tunnels ══ 192.168.56.12 b
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, beforeAll, test } from 'vitest'
import type { IpipOptions } from '../../../src/kernel/link.ts'
import type { CapturedPacket, LiveKernel } from '../../../src/kernel/live.ts'
import { EtherType, encodeEthernet } from '../../../src/wire/ethernet.ts'
import { encodeIcmp } from '../../../src/wire/icmp.ts'
import { encodeIpv4, IpProtocol } from '../../../src/wire/ipv4.ts'
import { encodeUdp } from '../../../src/wire/udp.ts'
import { BothKernels, type Rig } from '../../linux/model/both-kernels.ts'

const MAC = { h: '02:00:00:00:00:0a', in: '02:00:00:00:00:01', a: '02:00:00:00:00:11', b: '02:00:00:00:00:12' } as const
const A = '192.168.56.11'
const HOST = '10.244.0.2'

/** Which network goes into each, and by which options. tunl0 sends to the gateway of the route. */
const tunnels: Readonly<Record<string, Partial<IpipOptions>>> = {
  t3: { local: A, remote: '192.168.56.13', ttl: 9, tos: 1 },
  t4: { local: A, remote: '192.168.56.14', pathMtuDiscovery: false },
  t5: { remote: '192.168.56.15', device: 'eth0', tos: 0x10 },
  t6: { remote: '192.168.99.1' }, // no route leads there
  t7: { remote: '10.244.7.9' }, // the route leads into itself
  t8: { local: '192.168.56.21' }, // to the next hop, as tunl0
}
const networks = [1, 3, 4, 5, 6, 7, 8]
const neighbours = [12, 13, 14, 15, 18]

const both = new BothKernels('h', 'a', 'b')
/** Everything that was captured, ICMP errors too. */
const seen = new Map<Rig, string[]>([both.linux, both.model].map((rig) => [rig, []]))

beforeAll(async () => {
  await both.pair('h:eth0', MAC.h, 'a:in', MAC.in)
  await both.pair('a:eth0', MAC.a, 'b:eth0', MAC.b)
  both.each(({ h, a, b }) => {
    h!.addresses.add({ link: 'eth0', prefix: `${HOST}/24` })
    a!.addresses.add({ link: 'in', prefix: '10.244.0.1/24' })
    for (const last of [11, 21]) a!.addresses.add({ link: 'eth0', prefix: `192.168.56.${last}/24` })
    a!.neighbours.add({ link: 'in', address: HOST, mac: MAC.h })
    h!.neighbours.add({ link: 'eth0', address: '10.244.0.1', mac: MAC.in })
    for (const last of neighbours) a!.neighbours.add({ link: 'eth0', address: `192.168.56.${last}`, mac: MAC.b })
    b!.neighbours.add({ link: 'eth0', address: A, mac: MAC.a })
    b!.links.set('eth0', { promiscuous: true })
    a!.sysctl.set('net/ipv4/ip_forward', '1')
    // What comes about too often is not told: that is a matter of time.
    a!.sysctl.set('net/ipv4/icmp_ratemask', '0')
    for (const [name, ipip] of Object.entries(tunnels)) a!.links.add({ kind: 'ipip', name, ipip, up: true })
    a!.links.set('t5', { mtu: 1500 })
    a!.links.set('tunl0', { up: true })
    a!.addresses.add({ link: 'tunl0', prefix: '10.244.0.0/32' })
    a!.routes.add({ destination: '10.244.1.0/24', gateway: '192.168.56.12', link: 'tunl0', onlink: true })
    a!.routes.add({ destination: '10.244.8.0/24', gateway: '192.168.56.18', link: 't8', onlink: true })
    for (const n of [3, 4, 5, 6, 7]) a!.routes.add({ destination: `10.244.${n}.0/24`, link: `t${n}` })
  })
  for (const rig of seen.keys()) {
    for (const [name, kernel] of Object.entries(rig)) watch(name, kernel, seen.get(rig)!)
  }
})
afterAll(() => both.close())

function watch(name: string, kernel: LiveKernel, rows: string[]): void {
  kernel.packets.capture({}, (packet) => {
    const { link, packetType, bytes } = packet
    if (link === 'lo' || isBackground(packet)) return
    rows.push(`${name}:${link} ${packetType} ${bytes.length} ${Buffer.from(withoutChance(packet)).toString('hex')}`)
  })
}

const ipAt = ({ link, bytes }: CapturedPacket) => (/^t/.test(link) ? 0 : bytes[12] === 8 && bytes[13] === 0 ? 14 : -1)

function isBackground(packet: CapturedPacket): boolean {
  const at = ipAt(packet)
  return at < 0 || packet.bytes[at + 9] === 2
}

/** Identifications that Linux draws, and the checksums that they are in; IPv4 headers at any depth, quoted ones too. */
function withoutChance(packet: CapturedPacket): Uint8Array {
  const bytes = packet.bytes.slice(0, 110)
  let at = ipAt(packet)
  while (bytes[at] === 0x45) {
    bytes.fill(0, at + 4, at + 6)
    bytes.fill(0, at + 10, at + 12)
    const protocol = bytes[at + 9]
    if (protocol === 1) bytes.fill(0, at + 22, at + 24)
    at += protocol === 4 ? 20 : protocol === 1 ? 28 : bytes.length
    // Linux marks the inner header while the capture's copy still shares it.
    if (protocol === 4) bytes[at + 1]! &= 0xfc
  }
  return bytes
}

const ttl = fc.constantFrom(1, 2, 3, 64)
const tos = fc.constantFrom(0, 1, 2, 3, 0x10, 0xb8, 0xbb)
const outgoing = fc.record({
  kind: fc.constant('out' as const),
  network: fc.constantFrom(...networks),
  ttl,
  tos,
  dontFragment: fc.boolean(),
  size: fc.constantFrom(28, 600, 1480, 1481, 1500),
})
const incoming = fc.record({
  kind: fc.constant('in' as const),
  source: fc.constantFrom('192.168.56.12', '192.168.56.13', '192.168.56.14', '192.168.56.15', '192.168.56.77'),
  destination: fc.constantFrom(A, '192.168.56.21'),
  ttl,
  tos,
  outerTos: tos,
  cut: fc.constantFrom(0, 0, 0, 30),
})
const error = fc.record({
  kind: fc.constant('error' as const),
  about: fc.constantFrom(12, 13, 14, 15),
  what: fc.constantFrom('no host', 'too big', 'ttl' as const),
  mtu: fc.constantFrom(1400, 1300, 1000),
})
const step = fc.oneof({ weight: 6, arbitrary: outgoing }, { weight: 4, arbitrary: incoming }, error)

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

test('the same is sent, received and told', async () => {
  const steps = fc.sample(step, { numRuns: 400, seed: Number(process.env.SEED ?? 1) })
  for (const [number, each] of steps.entries()) {
    const [at, frame] = frameOf(each)
    both.send(at, frame)
    await both.take()
    const [linux, model] = [both.linux, both.model].map((rig) => seen.get(rig)!.splice(0).sort())
    assert.deepEqual(model, linux, `step ${number}: ${JSON.stringify(each)}`)
  }
})

/** What both saw of a frame, which is the same. */
async function bothSee(at: string, frame: Uint8Array): Promise<readonly string[]> {
  both.send(at, frame)
  await both.take()
  const [linux, model] = [both.linux, both.model].map((rig) => seen.get(rig)!.splice(0).sort())
  assert.deepEqual(model, linux)
  return linux!
}

test('a host whose tunl0 is down answers: no such port', async () => {
  const inner = datagram('10.244.1.2', HOST, { ttl: 9, tos: 0, size: 100, dontFragment: false })
  const outer = carrying({ source: '10.244.0.1', destination: HOST, ttl: 64, tos: 0 }, inner)
  const rows = await bothSee('a:in', framed(MAC.h, MAC.in, outer))
  assert.deepEqual(
    rows.map((row) => row.split(' ').slice(0, 2).join(' ')).filter((row) => row.startsWith('h:')),
    ['h:eth0 host', 'h:eth0 outgoing'],
  )
})

test('a device carries IPv4 only: what is IPv6 is an error', async () => {
  const errors = () => [both.linux, both.model].map(({ a }) => a!.links.statistics('t3').txErrors)
  const before = errors()
  const packet = new Uint8Array(48)
  packet[0] = 0x60
  packet[6] = IpProtocol.udp
  packet[5] = 8
  const rows = await bothSee('a:t3', packet)
  assert.deepEqual(
    rows.map((row) => row.slice(0, row.lastIndexOf(' '))),
    ['a:t3 outgoing 48'],
  )
  assert.deepEqual(
    errors().map((count, i) => count - before[i]!),
    [1, 1],
  )
})

test('what was learned of the path is the same', () => {
  for (const network of networks) {
    const [linux, model] = [both.linux, both.model].map(
      ({ a }) => a!.routes.lookup(`10.244.${network}.2`)?.metrics?.mtu,
    )
    assert.equal(model, linux, `10.244.${network}.2`)
  }
})

test('every namespace has a tunl0, and links are shown alike', () => {
  // This kernel counts no queues, its sysfs is another namespace's, and it has had tunl0 from the beginning.
  const shown = ({ a }: Rig) =>
    a!.links
      .list()
      .filter(({ kind }) => kind === 'ipip')
      .map(({ index, parent, macOrigin, details: { rxQueues, ...details }, ...link }) => [
        link,
        { ...details, kind: {} },
      ])
  assert.deepEqual(shown(both.model), shown(both.linux))
  for (const name of ['h', 'a', 'b']) {
    assert.equal(both.model[name]!.links.get('tunl0')?.kind, 'ipip')
    assert.equal(both.linux[name]!.links.get('tunl0')?.kind, 'ipip')
  }
})

const refusals: readonly (readonly [claim: string, call: (kernel: LiveKernel, other: LiveKernel) => void])[] = [
  ['a second one between the same ends', (a) => a.links.add({ kind: 'ipip', name: 'x', ipip: tunnels.t3! })],
  ['one without ends, as tunl0 is', (a) => a.links.add({ kind: 'ipip', name: 'x' })],
  ['an MTU that is too great', (a) => a.links.set('t3', { mtu: 65516 })],
  ['an MTU that is too small', (a) => a.links.set('t3', { mtu: 67 })],
  ['moving tunl0', (a, b) => a.links.set('tunl0', { namespace: b })],
  ['deleting tunl0', (a) => a.links.delete('tunl0')],
  ['a MAC', (a) => a.links.set('t3', { mac: '02:00:00:00:00:77' })],
]

for (const [claim, call] of refusals) {
  test(`${claim}: both kernels answer the same`, () => {
    const [linux, model] = both.outcomes(({ a, b }) => call(a!, b!))
    assert.equal(model, linux)
    assert.ok(both.linux.a!.links.get('tunl0'))
  })
}

function frameOf(each: Step): [at: string, frame: Uint8Array] {
  if (each.kind === 'out') {
    const packet = datagram(HOST, `10.244.${each.network}.2`, each)
    return ['h:eth0', framed(MAC.in, MAC.h, packet)]
  }
  if (each.kind === 'in') {
    const inner = datagram('10.244.1.2', HOST, { ...each, size: 100, dontFragment: true })
    const carried = inner.subarray(0, inner.length - each.cut)
    const outer = { source: each.source, destination: each.destination, ttl: 64, tos: each.outerTos }
    return ['b:eth0', framed(MAC.a, MAC.b, carrying(outer, carried))]
  }
  const remote = `192.168.56.${each.about}`
  const inner = datagram(HOST, '10.244.1.2', { ttl: 63, tos: 0, size: 100, dontFragment: false })
  const original = carrying({ source: A, destination: remote, ttl: 63, tos: 0 }, inner)
  const payload = encodeIcmp(
    each.what === 'ttl'
      ? { kind: 'time exceeded', code: 0, original }
      : { kind: 'destination unreachable', code: each.what === 'no host' ? 1 : 4, mtu: each.mtu, original },
  )
  const whole = encodeIpv4({ ...PLAIN, source: remote, destination: A, protocol: IpProtocol.icmp, payload })
  return ['b:eth0', framed(MAC.a, MAC.b, whole)]
}

const PLAIN = {
  tos: 0,
  identification: 7,
  dontFragment: false,
  moreFragments: false,
  fragmentOffset: 0,
  ttl: 64,
  options: [],
} as const

interface Inner {
  readonly ttl: number
  readonly tos: number
  readonly dontFragment: boolean
  /** Bytes of IP. */
  readonly size: number
}

function datagram(
  source: string,
  destination: string,
  { ttl: hops, tos: field, dontFragment, size }: Inner,
): Uint8Array {
  const payload = encodeUdp({ sourcePort: 4000, destinationPort: 4001, payload: new Uint8Array(size - 28) })
  const header = { ...PLAIN, tos: field, ttl: hops, dontFragment, protocol: IpProtocol.udp }
  return encodeIpv4({ ...header, source, destination, payload })
}

function carrying(
  outer: { readonly source: string; readonly destination: string; readonly ttl: number; readonly tos: number },
  payload: Uint8Array,
): Uint8Array {
  return encodeIpv4({ ...PLAIN, ...outer, protocol: IpProtocol.ipip, payload })
}

function framed(destination: string, source: string, payload: Uint8Array): Uint8Array {
  return encodeEthernet({ destination, source, tags: [], etherType: EtherType.ipv4, payload })
}
