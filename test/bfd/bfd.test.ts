/** BFD on the model's sockets: two hosts on a link, or with a router between them. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { Bfd, type BfdTarget, type BfdWatch } from '../../src/bfd/bfd.ts'
import type { StartBfd } from '../../src/bgp/bfd.ts'
import type { LiveKernel } from '../../src/kernel/live.ts'
import { createModel } from '../../src/model/create.ts'
import type { Clock } from '../../src/store/clock.ts'
import { decodeBfd } from '../../src/wire/bfd.ts'
import { decodeIpv4 } from '../../src/wire/ipv4.ts'
import { decodeIpv6 } from '../../src/wire/ipv6.ts'
import { decodeUdp } from '../../src/wire/udp.ts'
import { seeded } from '../bgp/speakers.ts'
import { FAST } from './pair.ts'

const MILLISECOND = 1000

/** What speakers ask for is what there is. */
const _start: StartBfd = new Bfd({
  sockets: createModel().sockets,
  clock: { now: () => 0, after: () => () => undefined },
  random: () => 0,
  log: () => undefined,
}).start

class Host {
  readonly kernel: LiveKernel
  readonly bfd: Bfd
  readonly log: string[] = []
  readonly told: string[] = []

  constructor(kernel: LiveKernel, clock: Clock, seed: number) {
    this.kernel = kernel
    this.bfd = new Bfd({ sockets: kernel.sockets, clock, random: seeded(seed), log: (text) => this.log.push(text) })
  }

  watch(target: Partial<BfdTarget> & Pick<BfdTarget, 'remote'>, settings = FAST): BfdWatch {
    const events = { up: () => this.told.push('up'), down: (why: string) => this.told.push(why) }
    return this.bfd.start({ local: undefined, multihop: false, ...target }, settings, events)
  }
}

/** a 10.0.0.1, fd00::1 ── r ── 10.0.1.1, fd00:1::1 b; without a router 10.0.0.2, fd00::2 is b's. */
class Net {
  readonly machine = createModel()
  readonly clock: Clock = {
    now: () => this.machine.model.clock.now / MILLISECOND,
    after: (milliseconds, run) => {
      const timer = this.machine.model.clock.after(milliseconds * MILLISECOND, run)
      return () => this.machine.model.clock.cancel(timer)
    },
  }
  readonly a: Host
  readonly b: Host
  /** IP packets that a has sent and got. */
  readonly seen: Uint8Array[] = []

  constructor({ routed = false } = {}) {
    const [a, b] = [this.#enter('a'), this.#enter('b')]
    if (routed) {
      const r = this.#enter('r')
      r.sysctl.set('net/ipv4/ip_forward', '1')
      this.#join(a, 'e0', ['10.0.0.1/24'], r, 'r0', ['10.0.0.9/24'])
      this.#join(b, 'e0', ['10.0.1.1/24'], r, 'r1', ['10.0.1.9/24'])
      a.routes.add({ destination: '0.0.0.0/0', gateway: '10.0.0.9' })
      b.routes.add({ destination: '0.0.0.0/0', gateway: '10.0.1.9' })
    } else this.#join(a, 'e0', ['10.0.0.1/24', 'fd00::1/64'], b, 'e0', ['10.0.0.2/24', 'fd00::2/64'])
    this.a = new Host(a, this.clock, 1)
    this.b = new Host(b, this.clock, 2)
    a.packets.capture({ link: 'e0' }, ({ bytes }) => {
      if (isUdp(bytes)) this.seen.push(bytes.slice(14))
    })
  }

  #enter(name: string): LiveKernel {
    const kernel = this.machine.enter(this.machine.namespaces.add(name))!
    kernel.links.set('lo', { up: true })
    return kernel
  }

  #join(one: LiveKernel, name: string, own: string[], other: LiveKernel, peer: string, their: string[]): void {
    one.links.add({ kind: 'veth', name, peer: { name: peer, namespace: other } })
    one.links.set(name, { up: true })
    other.links.set(peer, { up: true })
    for (const prefix of own) one.addresses.add({ link: name, prefix, noDad: true })
    for (const prefix of their) other.addresses.add({ link: peer, prefix, noDad: true })
  }

  advance(milliseconds: number): void {
    this.machine.model.advance(milliseconds * MILLISECOND)
  }
}

const ETHER_TYPE = 12
const isUdp = (frame: Uint8Array) =>
  (frame[ETHER_TYPE] === 0x08 && frame[13] === 0 && frame[23] === 17) ||
  (frame[ETHER_TYPE] === 0x86 && frame[20] === 17)

/** What an IP packet of a session says. */
function opened(bytes: Uint8Array) {
  const isV4 = bytes[0]! >> 4 === 4
  const ip = isV4 ? decodeIpv4(bytes) : decodeIpv6(bytes)
  const udp = decodeUdp(ip.payload)
  return {
    source: ip.source,
    ttl: isV4 ? decodeIpv4(bytes).ttl : decodeIpv6(bytes).hopLimit,
    sourcePort: udp.sourcePort,
    destinationPort: udp.destinationPort,
    ...decodeBfd(udp.payload),
  }
}

for (const [family, one, other] of [
  ['IPv4', '10.0.0.1', '10.0.0.2'],
  ['IPv6', 'fd00::1', 'fd00::2'],
] as const) {
  test(`${family}: up, down when the link is cut, and up again`, () => {
    const { a, b, ...net } = new Net()
    const advance = (time: number) => net.machine.model.advance(time * MILLISECOND)
    const [ours, theirs] = [a.watch({ local: one, remote: other }), b.watch({ remote: one })]
    advance(2000)
    assert.deepEqual([ours.state, theirs.state], ['Up', 'Up'])
    b.kernel.links.set('e0', { up: false })
    advance(400)
    assert.equal(ours.state, 'Down')
    b.kernel.links.set('e0', { up: true })
    if (family === 'IPv6') b.kernel.addresses.add({ link: 'e0', prefix: 'fd00::2/64', noDad: true })
    advance(5000)
    assert.deepEqual([ours.state, theirs.state], ['Up', 'Up'])
    assert.deepEqual(
      a.told.map((each) => each.slice(0, 14)),
      ['up', 'no packet came', 'up'],
    )
  })
}

test('packets have TTL 255, go to port 3784, and all of a session come from one port of the range', () => {
  const net = new Net()
  net.a.watch({ local: '10.0.0.1', remote: '10.0.0.2' })
  net.a.watch({ local: 'fd00::1', remote: 'fd00::2' })
  net.advance(5000)
  const all = net.seen.map(opened)
  assert.ok(all.length >= 10)
  for (const { ttl, destinationPort, sourcePort } of all) {
    assert.deepEqual([ttl, destinationPort], [255, 3784])
    assert.ok(sourcePort >= 49152)
  }
  assert.equal(new Set(all.map(({ source, sourcePort }) => `${source} ${sourcePort}`)).size, 2)
  assert.equal(new Set(all.map(({ sourcePort }) => sourcePort)).size, 2)
})

test('over a router a session of one hop does not come up, one of several does', () => {
  const net = new Net({ routed: true })
  const near = net.a.watch({ remote: '10.0.1.1' })
  net.b.watch({ remote: '10.0.0.1' })
  const far = net.a.watch({ remote: '10.0.1.1', multihop: true })
  net.b.watch({ remote: '10.0.0.1', multihop: true })
  net.advance(5000)
  assert.deepEqual([near.state, far.state], ['Down', 'Up'])
  assert.ok(net.a.bfd.refusals.distant > 0)
})

test('who closes tells AdminDown until the neighbour must know; that is no failure, and nobody is told here', () => {
  const net = new Net()
  const ours = net.a.watch({ remote: '10.0.0.2' })
  const theirs = net.b.watch({ remote: '10.0.0.1' })
  net.advance(2000)
  const before = net.seen.length
  ours.close()
  ours.close()
  net.advance(10_000)
  const last = net.seen
    .slice(before)
    .map(opened)
    .filter(({ source }) => source === '10.0.0.1')
  assert.ok(last.length >= 3 && last.every(({ state }) => state === 'AdminDown'))
  assert.equal(theirs.state, 'Down')
  assert.deepEqual([net.a.told, net.b.told], [['up'], ['up']])
  const { length } = net.seen
  theirs.close()
  net.advance(10_000)
  assert.ok(net.seen.length <= length + 1)
})

test('a neighbour that was closed may be watched again at once', () => {
  const net = new Net()
  net.b.watch({ remote: '10.0.0.1' })
  net.a.watch({ remote: '10.0.0.2' }).close()
  const first = net.a.watch({ remote: '10.0.0.2' })
  net.advance(2000)
  first.close()
  const second = net.a.watch({ remote: '10.0.0.2' })
  net.advance(3000)
  assert.equal(second.state, 'Up')
  assert.deepEqual(net.b.told, ['up', 'up'])
  assert.throws(() => net.a.watch({ remote: '10.0.0.2' }), RangeError)
})

test('other settings keep the session', () => {
  const net = new Net()
  const ours = net.a.watch({ remote: '10.0.0.2' })
  net.b.watch({ remote: '10.0.0.1' })
  net.advance(2000)
  ours.change({ minTx: 500, minRx: 500, multiplier: 5 })
  net.advance(2000)
  assert.equal(ours.status.transmitInterval, 500)
  assert.deepEqual(net.b.told, ['up'])
})

test('an address that is not there yet is waited for, and what is missing said once', () => {
  const net = new Net()
  const ours = net.a.watch({ local: '10.0.0.7', remote: '10.0.0.2' })
  net.b.watch({ remote: '10.0.0.7' })
  net.advance(5000)
  assert.equal(net.a.log.length, 1)
  assert.match(net.a.log[0]!, /^BFD with 10\.0\.0\.2: Cannot bind a UDP socket to 10\.0\.0\.7.*EADDRNOTAVAIL/)
  net.a.kernel.addresses.add({ link: 'e0', prefix: '10.0.0.7/24' })
  net.advance(3000)
  assert.equal(ours.state, 'Up')
})

test('a port that another program has is waited for', () => {
  const net = new Net()
  const other = net.a.kernel.sockets.bindUdp({ port: 3784 }, {})
  const ours = net.a.watch({ remote: '10.0.0.2' })
  net.b.watch({ remote: '10.0.0.1' })
  net.advance(5000)
  assert.equal(ours.state, 'Down')
  assert.equal(net.a.log.length, 1)
  other.close()
  net.advance(3000)
  assert.equal(ours.state, 'Up')
})

test('source ports that are taken are passed over', () => {
  const net = new Net()
  const bfd = new Bfd({ sockets: net.a.kernel.sockets, clock: net.clock, random: () => 0, log: () => undefined })
  net.a.kernel.sockets.bindUdp({ address: '10.0.0.1', port: 49152 }, {})
  bfd.start({ local: '10.0.0.1', remote: '10.0.0.2', multihop: false }, FAST, {
    up: () => undefined,
    down: () => undefined,
  })
  net.advance(100)
  assert.equal(opened(net.seen[0]!).sourcePort, 49153)
})

test('when all is closed, sockets are free and nothing runs', () => {
  const net = new Net()
  net.a.watch({ remote: '10.0.0.2' })
  net.a.watch({ remote: '10.0.0.2', multihop: true })
  net.b.watch({ remote: '10.0.0.1' })
  net.advance(2000)
  net.a.bfd.close()
  const { length } = net.seen
  net.advance(500)
  assert.equal(opened(net.seen.filter((_, i) => i < length).at(-1)!).state, 'AdminDown')
  for (const port of [3784, 4784]) net.a.kernel.sockets.bindUdp({ port }, {}).close()
  net.advance(60_000)
  assert.deepEqual(net.b.told, ['up'])
})
