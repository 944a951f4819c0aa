/** What a bridge learns, and what it does not. Seen on Linux 6.18 with `bridge fdb`. */
import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'vitest'
import { World } from '../world.ts'

const rest = `0900${'00'.repeat(40)}`
const X = '02:00:00:00:00:21'
const HOST = '02:00:00:00:aa:01'

let world: World

/** br5 with the ports x0 and y0; x1 and y1 are the other ends, all in one namespace. */
beforeEach(() => {
  world = new World()
  const kernel = world.in('a')
  kernel.links.add({ kind: 'bridge', name: 'br5', up: true })
  world.pair('a:x0', '02:00:00:00:00:20', 'a:x1', X)
  world.pair('a:y0', '02:00:00:00:00:10', 'a:y1', '02:00:00:00:00:11')
  kernel.links.set('x0', { master: 'br5' })
  kernel.links.set('y0', { master: 'br5' })
})

const entry = (mac: string) => {
  const found = world
    .in('a')
    .fdb.list()
    .find((each) => each.mac === mac)
  return found && `${found.link} ${found.state}`
}
const comesFrom = (end: string, mac: string) => world.send(`a:${end}`, `ff:ff:ff:ff:ff:ff${mac}${rest}`)

describe('learning', () => {
  test('a source is behind the port that its frame came in by', () => {
    comesFrom('x1', HOST)
    assert.equal(entry(HOST), 'x0 dynamic')
  })

  test('one frame moves it', () => {
    comesFrom('x1', HOST)
    comesFrom('y1', HOST)
    assert.equal(entry(HOST), 'y0 dynamic')
  })

  test('it is forgotten after 300 s without a frame', () => {
    comesFrom('x1', HOST)
    world.advance(200_000)
    comesFrom('x1', HOST)
    world.advance(299_900)
    assert.equal(entry(HOST), 'x0 dynamic')
    world.advance(200)
    assert.equal(entry(HOST), undefined)
  })

  test('a shorter ageing time counts for what is there already', () => {
    comesFrom('x1', HOST)
    world.advance(20_000)
    world.in('a').links.set('br5', { bridge: { ageingTime: 30 } })
    assert.equal(entry(HOST), 'x0 dynamic')
    world.advance(10_100)
    assert.equal(entry(HOST), undefined)
  })

  test("a port's own MAC is not learned elsewhere", () => {
    comesFrom('y1', '02:00:00:00:00:20')
    assert.equal(entry('02:00:00:00:00:20'), 'x0 permanent')
  })

  test('a static entry moves, too, and stays static', () => {
    world.in('a').fdb.add({ link: 'x0', mac: HOST, owner: 'master', state: 'static' })
    comesFrom('y1', HOST)
    assert.equal(entry(HOST), 'y0 static')
  })

  test('a permanent one does not', () => {
    world.in('a').fdb.add({ link: 'x0', mac: HOST, owner: 'master' })
    comesFrom('y1', HOST)
    assert.equal(entry(HOST), 'x0 permanent')
  })

  test('with learning off on the port, nothing is learned', () => {
    world.in('a').links.set('x0', { port: { learning: false } })
    comesFrom('x1', HOST)
    assert.equal(entry(HOST), undefined)
  })

  test('with ageing time 0, nothing is learned', () => {
    world.in('a').links.set('br5', { bridge: { ageingTime: 0 } })
    comesFrom('x1', HOST)
    assert.equal(entry(HOST), undefined)
  })
})

describe('a port that leaves', () => {
  test('takes all its entries along', () => {
    comesFrom('x1', HOST)
    world.in('a').fdb.add({ link: 'x0', mac: '02:00:00:00:aa:02', owner: 'master', state: 'static' })
    world.in('a').links.set('x0', { master: null })
    assert.deepEqual(
      [entry(HOST), entry('02:00:00:00:aa:02'), entry('02:00:00:00:00:20')],
      [undefined, undefined, undefined],
    )
  })

  test('that goes down loses what was learned, and keeps what was set', () => {
    comesFrom('x1', HOST)
    world.in('a').fdb.add({ link: 'x0', mac: '02:00:00:00:aa:02', owner: 'master', state: 'static' })
    world.in('a').links.set('x0', { up: false })
    assert.deepEqual([entry(HOST), entry('02:00:00:00:aa:02')], [undefined, 'x0 static'])
  })
})

test('many entries are found again, whatever was deleted between them', () => {
  const { fdb } = world.in('a')
  const mac = (i: number) =>
    `02:00:00:${[16, 8, 0].map((shift) => ((i >> shift) & 0xff).toString(16).padStart(2, '0')).join(':')}`
  for (let i = 0x1000; i < 0x1400; i++) fdb.add({ link: 'x0', mac: mac(i), owner: 'master', state: 'static' })
  for (let i = 0x1000; i < 0x1400; i += 3) fdb.delete({ link: 'x0', mac: mac(i), owner: 'master' })
  const left = new Set(fdb.list().map((each) => each.mac))
  for (let i = 0x1000; i < 0x1400; i++) assert.equal(left.has(mac(i)), (i - 0x1000) % 3 !== 0, mac(i))
})
