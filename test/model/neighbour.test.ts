/**
 * A neighbour's states, and what becomes of packets meanwhile. Frames and times are those of Linux 6.18: a router `a` between
 * the links va and vc, captured with AF_PACKET, states by `ip -ts monitor neigh`.
 */
import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'vitest'
import { World } from './world.ts'

const B = '02:00:00:00:00:0b'
const C = '02:00:00:00:00:0c'
const VA = '02:00:00:00:00:a1'
/** From b to a host of c's link, and as it leaves the router. */
const datagram = `${VA}${B}0800 4500001d00010000401166cb0a0000020a0100020fa00fa10009000078`
const forwarded = '02000000000c0200000000c108004500001d000100003f1167cb0a0000020a0100020fa00fa10009000078'
const question = 'ffffffffffff0200000000c1080600010800060400010200000000c10a0100010000000000000a010002'
const unicastQuestion = '02000000000c0200000000c1080600010800060400010200000000c10a0100010000000000000a010002'

let world: World

beforeEach(() => {
  world = new World()
  world.pair('a:va', VA, 'b:eth0', B)
  world.pair('a:vc', '02:00:00:00:00:c1', 'c:eth0', C)
  const a = world.in('a')
  a.sysctl.set('net/ipv4/ip_forward', '1')
  a.addresses.add({ link: 'va', prefix: '10.0.0.1/24' })
  a.addresses.add({ link: 'vc', prefix: '10.1.0.1/24' })
  a.neighbours.add({ link: 'va', address: '10.0.0.2', mac: B })
  world.take()
})

const state = (address = '10.1.0.2') =>
  world
    .in('a')
    .neighbours.list({ link: 'vc' })
    .find((each) => each.address === address)?.state
const answers = () => world.in('c').addresses.add({ link: 'eth0', prefix: '10.1.0.2/24' })
/** What left the router on c's link, with the milliseconds. */
const sent = () =>
  world
    .takeSeen()
    .filter(({ at, direction }) => at === 'a:vc' && direction === 'out')
    .map(({ hex, time }) => ({ hex, time }))
const near = (actual: number, expected: number, tolerance = 40) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} ms is not about ${expected} ms`)

describe('nobody answers', () => {
  test('it is asked for at once, then twice more, and the sender is told after 3.06 s', () => {
    const start = world.now
    world.send('b:eth0', datagram)
    assert.equal(state(), 'incomplete')
    world.advance(3_500)
    const seen = world.takeSeen()
    const questions = seen.filter(({ at, direction }) => at === 'a:vc' && direction === 'out')
    assert.deepEqual(
      questions.map(({ hex }) => hex),
      [question, question, question],
    )
    near(questions[0]!.time - start, 0, 0)
    near(questions[1]!.time - start, 1_011)
    near(questions[2]!.time - start, 2_035)
    assert.equal(state(), 'failed')
    const [error] = seen.filter(({ at, direction }) => at === 'a:va' && direction === 'out')
    near(error!.time - start, 3_059)
    // Type 3, code 1, and the packet as it would have left.
    assert.match(error!.hex, /0301[0-9a-f]{4}000000004500001d000100003f1167cb0a0000020a0100020fa00fa10009000078$/)
    assert.ok(world.takeDrops().includes('NEIGH_FAILED@neigh_invalidate at a:vc'))
  })

  test('a failed neighbour is asked for anew', () => {
    world.send('b:eth0', datagram)
    world.advance(4_000)
    world.take()
    world.send('b:eth0', datagram)
    assert.deepEqual(
      sent().map(({ hex }) => hex),
      [question],
    )
    assert.equal(state(), 'incomplete')
  })

  test('what waits is limited to unres_qlen_bytes: the oldest goes', () => {
    world.in('a').sysctl.set('net/ipv4/neigh/vc/unres_qlen_bytes', '2000')
    for (let i = 0; i < 3; i++) world.send('b:eth0', datagram)
    assert.deepEqual(world.takeDrops(), ['NEIGH_QUEUEFULL@__neigh_event_send at a:vc'])
    answers()
    world.advance(1_100)
    assert.equal(sent().filter(({ hex }) => hex === forwarded).length, 2)
  })
})

describe('the neighbour answers', () => {
  test('what waited goes out, in its order, and what follows goes at once', () => {
    answers()
    world.send('b:eth0', datagram)
    assert.deepEqual(
      sent().map(({ hex }) => hex),
      [question, forwarded],
    )
    assert.equal(state(), 'reachable')
    world.send('b:eth0', datagram)
    assert.deepEqual(
      sent().map(({ hex }) => hex),
      [forwarded],
    )
  })

  test('it is reachable for 15 to 45 s, then stale', () => {
    answers()
    world.send('b:eth0', datagram)
    world.advance(14_900)
    assert.equal(state(), 'reachable')
    world.advance(33_000)
    assert.equal(state(), 'stale')
  })

  test('a stale one is used, and asked by itself five seconds later', () => {
    answers()
    world.send('b:eth0', datagram)
    world.advance(48_000)
    world.take()
    const start = world.now
    world.send('b:eth0', datagram)
    assert.equal(state(), 'delay')
    world.advance(6_000)
    const [packet, probe] = sent()
    assert.equal(packet!.hex, forwarded)
    assert.equal(probe!.hex, unicastQuestion)
    near(probe!.time - start, 5_128, 130)
    assert.equal(state(), 'reachable')
  })

  test('one that is silent then has failed after three more seconds', () => {
    answers()
    world.send('b:eth0', datagram)
    world.advance(48_000)
    world.in('c').addresses.delete({ link: 'eth0', prefix: '10.1.0.2/24' })
    world.take()
    world.send('b:eth0', datagram)
    world.advance(5_300)
    assert.equal(state(), 'probe')
    world.send('b:eth0', datagram)
    assert.equal(sent().at(-1)!.hex, forwarded)
    world.advance(3_200)
    assert.equal(state(), 'failed')
    assert.deepEqual(
      sent().map(({ hex }) => hex),
      [unicastQuestion, unicastQuestion],
    )
  })

  test('of two answers within a second the first counts', () => {
    world.send('b:eth0', datagram)
    const answer = (mac: string) => `02:00:00:00:00:c1${mac}0806 0001080006040002${mac}0a0100020200000000c10a010001`
    world.send('c:eth0', answer('02:00:00:00:00:d1'))
    world.send('c:eth0', answer('02:00:00:00:00:d2'))
    const mac = () => world.in('a').neighbours.list({ link: 'vc' })[0]!.mac
    assert.equal(mac(), '02:00:00:00:00:d1')
    world.advance(1_100)
    world.send('c:eth0', answer('02:00:00:00:00:d2'))
    assert.equal(mac(), '02:00:00:00:00:d2')
  })
})

describe('neighbours go', () => {
  const known = () =>
    world
      .in('a')
      .neighbours.list({ link: 'vc' })
      .map(({ address }) => address)
  beforeEach(() => {
    world.in('a').neighbours.add({ link: 'vc', address: '10.1.0.7', mac: C })
    world.in('a').neighbours.add({ link: 'vc', address: '10.1.0.8', mac: C, state: 'stale' })
  })

  test('all, when the link goes down', () => {
    world.in('a').links.set('vc', { up: false })
    assert.deepEqual(known(), [])
  })

  test('all, when the link gets another MAC', () => {
    world.in('a').links.set('vc', { mac: '02:00:00:00:00:c2' })
    assert.deepEqual(known(), [])
  })

  test('all but permanent ones, when the other end goes down', () => {
    world.in('c').links.set('eth0', { up: false })
    assert.deepEqual(known(), ['10.1.0.7'])
  })

  test('none then, where arp_evict_nocarrier is 0', () => {
    world.in('a').sysctl.set('net/ipv4/conf/vc/arp_evict_nocarrier', '0')
    world.in('c').links.set('eth0', { up: false })
    assert.deepEqual(known(), ['10.1.0.7', '10.1.0.8'])
  })
})

test('whoever watches hears of neighbours', () => {
  const heard: string[] = []
  world.in('a').watch(['neighbour'], (change) => {
    if (change !== 'lost') heard.push(`${change.operation} ${change.link}`)
  })
  world.in('a').neighbours.add({ link: 'vc', address: '10.1.0.7', mac: C })
  world.in('a').neighbours.delete({ link: 'vc', address: '10.1.0.7' })
  world.advance(1)
  assert.deepEqual(heard, ['new vc', 'new vc', 'delete vc'])
})
