/** Whom ARP answers, and what it asks. test/linux/model/arp.test.ts holds random cases beside Linux; these are the known traps. */
import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'vitest'
import { World } from './world.ts'

const B = '02:00:00:00:00:0b'
const VA = '02:00:00:00:00:a1'

let world: World

/** a: va 10.0.0.1/24, vc 10.1.0.1/24; b: eth0, which has no address. */
beforeEach(() => {
  world = new World()
  world.pair('a:va', VA, 'b:eth0', B)
  world.pair('a:vc', '02:00:00:00:00:c1', 'c:eth0', '02:00:00:00:00:0c')
  const a = world.in('a')
  a.addresses.add({ link: 'va', prefix: '10.0.0.1/24' })
  a.addresses.add({ link: 'vc', prefix: '10.1.0.1/24' })
  world.take()
})

const address = (text: string) => Buffer.from(text.split('.').map(Number)).toString('hex')
const request = (target: string, sender = '10.0.0.2', to = 'ffffffffffff') =>
  `${to}${B}0806 0001080006040001${B}${address(sender)}000000000000${address(target)}`
const ask = (...of: Parameters<typeof request>) => world.send('b:eth0', request(...of))
const heard = () => world.takeSeen().filter(({ at, direction }) => at === 'b:eth0' && direction === 'in')
const known = () =>
  world
    .in('a')
    .neighbours.list({ link: 'va' })
    .map((each) => `${each.address} ${each.state}`)
const set = (name: string, value: number, where = 'va') =>
  world.in('a').sysctl.set(`net/ipv4/conf/${where}/${name}`, `${value}`)

describe('an answer', () => {
  test('is 42 bytes, from the MAC of the device, to who asked', () => {
    ask('10.0.0.1')
    assert.deepEqual(
      heard().map(({ hex }) => hex),
      ['02000000000b0200000000a1080600010800060400020200000000a10a00000102000000000b0a000002'],
    )
  })

  test('makes the asker known, as stale', () => {
    ask('10.0.0.1')
    assert.deepEqual(known(), ['10.0.0.2 stale'])
  })

  test('goes to a probe, which nothing is learned from: RFC 5227 §2.1.1', () => {
    ask('10.0.0.1', '0.0.0.0')
    assert.equal(heard().length, 1)
    assert.deepEqual(known(), [])
  })

  test('is given for any address of the host, on any device', () => {
    ask('10.1.0.1')
    assert.equal(heard().length, 1)
  })

  test('is not, with arp_ignore 1', () => {
    set('arp_ignore', 1)
    ask('10.1.0.1')
    assert.equal(heard().length, 0)
    ask('10.0.0.1')
    assert.equal(heard().length, 1)
  })

  test('is not given to who is not asked', () => {
    ask('10.0.0.1', '10.0.0.2', '020000009999')
    assert.equal(heard().length, 0)
    assert.deepEqual(known(), [])
  })
})

describe('proxy ARP', () => {
  beforeEach(() => {
    world.in('a').sysctl.set('net/ipv4/ip_forward', '1')
    set('proxy_arp', 1)
  })

  test('answers for 169.254.1.1 only where a route leads there', () => {
    ask('169.254.1.1')
    world.advance(1_000)
    assert.equal(heard().length, 0)
    world.in('a').routes.add({ destination: '0.0.0.0/0', gateway: '10.1.0.9' })
    ask('169.254.1.1')
    world.advance(1_000)
    assert.equal(heard().length, 1)
  })

  test('answers within proxy_delay, 0.8 s', () => {
    const start = world.now
    ask('10.1.0.9')
    assert.equal(heard().length, 0)
    world.advance(800)
    const [answer] = heard()
    assert.ok(answer!.time > start && answer!.time <= start + 800)
  })

  test('answers at once without proxy_delay, and who asked it alone', () => {
    ask('10.1.0.9', '10.0.0.2', VA)
    assert.equal(heard().length, 1)
    world.in('a').sysctl.set('net/ipv4/neigh/va/proxy_delay', '0')
    ask('10.1.0.9')
    assert.equal(heard().length, 1)
  })

  test('does not answer for what is on the same device', () => {
    ask('10.0.0.9')
    world.advance(1_000)
    assert.equal(heard().length, 0)
  })

  test('answers for single addresses by `ip neigh add proxy`', () => {
    set('proxy_arp', 0)
    world.in('a').neighbours.add({ link: 'va', address: '10.1.0.9', proxy: true })
    ask('10.1.0.9', '10.0.0.2', VA)
    ask('10.1.0.8', '10.0.0.2', VA)
    assert.equal(heard().length, 1)
  })
})

describe('what is heard', () => {
  const announcement = `ffffffffffff${B}0806 0001080006040001${B}0a000009${'00'.repeat(6)}0a000009`

  test('of somebody unknown is forgotten', () => {
    world.send('b:eth0', announcement)
    assert.deepEqual(known(), [])
  })

  test('is kept with arp_accept, as stale', () => {
    set('arp_accept', 1)
    world.send('b:eth0', announcement)
    assert.deepEqual(known(), ['10.0.0.9 stale'])
  })

  test('moves who is known at once', () => {
    world.in('a').neighbours.add({ link: 'va', address: '10.0.0.9', mac: '02:00:00:00:00:99', state: 'reachable' })
    world.send('b:eth0', announcement)
    assert.equal(world.in('a').neighbours.list({ link: 'va' })[0]!.mac, B)
  })
})

describe('announcements', () => {
  const announced = '0200000000a10a0000010000000000000a000001'

  test('are made with arp_notify when the link comes up, and when its MAC changes', () => {
    set('arp_notify', 1)
    world.in('a').links.set('va', { up: false })
    world.in('a').links.set('va', { up: true })
    assert.ok(heard().some(({ hex }) => hex.endsWith(announced)))
    world.in('a').links.set('va', { mac: '02:00:00:00:00:a2' })
    assert.ok(heard().some(({ hex }) => hex.startsWith('ffffffffffff0200000000a2')))
  })

  test('are not made without', () => {
    world.in('a').links.set('va', { mac: '02:00:00:00:00:a2' })
    assert.equal(heard().length, 0)
  })
})

test('a pod that was made anew with another MAC is not found for as long as it counts as reachable', () => {
  world.in('b').addresses.add({ link: 'eth0', prefix: '10.0.0.2/24' })
  return world
    .in('a')
    .ping('10.0.0.2')
    .then(({ outcome }) => {
      assert.equal(outcome, 'reply')
      world.in('b').links.set('eth0', { mac: '02:00:00:00:00:1b' })
      world.advance(9_500)
      world.take()
      return world.in('a').ping('10.0.0.2')
    })
    .then(({ outcome }) => {
      assert.equal(outcome, 'timeout')
      assert.ok(world.takeDrops().some((drop) => drop.startsWith('OTHERHOST@ip_rcv_core at b:eth0')))
    })
})
