/** A cluster of a thousand nodes with two reflectors: whole speakers, every message encoded and decoded, in virtual time. */
import assert from 'node:assert/strict'
import { beforeAll, describe, expect, test } from 'vitest'
import { Interners } from '../../src/bgp/attribute/interner.ts'
import { why } from '../../src/bgp/views.ts'
import { type LabSpeaker, neighbour, start } from './lab.ts'
import { type World, world } from './speakers.ts'

const NODES = 1000
const REFLECTORS = 2
const SECOND = 1000
/** Milliseconds of real time for all of it, on a machine that has other things to do. */
const PATIENCE = 600_000

const addressOf = (number: number) => `10.0.${number >> 8}.${number & 255}`
const blockOf = (number: number) => `10.${64 + (number >> 8)}.${number & 255}.0/26`
const numbers = Array.from({ length: NODES }, (_, i) => i + 1)
const reflectors = numbers.slice(0, REFLECTORS)
const clients = numbers.slice(REFLECTORS)

describe('a thousand nodes', { timeout: PATIENCE }, () => {
  let here: World
  let nodes: readonly LabSpeaker[]
  const node = (number: number) => nodes[number - 1]!
  const others = (number: number) => nodes.filter((each) => each !== node(number))

  beforeAll(() => {
    here = world()
    const attributes = new Interners()
    nodes = numbers.map((number) => {
      const isReflector = number <= REFLECTORS
      const dialled = reflectors.filter((each) => each !== number).map((each) => neighbour(addressOf(each)))
      const served = isReflector ? clients.map((each) => neighbour(addressOf(each), {}, { isClient: true })) : []
      const neighbours = [...dialled, ...served]
      return start(here, addressOf(number), { attributes, networks: [blockOf(number)], neighbours })
    })
    here.clock.advance(10 * SECOND)
  }, PATIENCE)

  test('each has the block of every other by that node’s own address, though it has met the reflectors only', () => {
    for (const each of nodes) {
      assert.equal(each.fib.routes.size, NODES - 1)
      for (const number of numbers) {
        if (each !== node(number)) assert.equal(each.fib.routes.get(blockOf(number)), addressOf(number))
      }
    }
    const rows = why(node(NODES).speaker.ribs, blockOf(500))
    expect(rows).toMatchObject([
      { from: addressOf(1), best: true, originatorId: addressOf(500), clusterList: [addressOf(1)] },
      { from: addressOf(2), best: false, lostAt: 'lowest peer address', clusterList: [addressOf(2)] },
    ])
  })

  test('a new block is everywhere two hops later, and gone as soon', () => {
    const prefix = '192.0.2.0/26'
    node(500).speaker.announce([{ prefix, communities: [], blackhole: true }])
    here.clock.advance(5)
    assert.ok(others(500).every(({ fib }) => fib.routes.get(prefix) === addressOf(500)))
    node(500).speaker.withdraw([prefix])
    here.clock.advance(5)
    assert.ok(others(500).every(({ fib }) => !fib.routes.has(prefix)))
  })

  test('a reflector that dies costs nobody a route but its own', () => {
    for (const { fib } of nodes) fib.done.length = 0
    node(2).kill()
    here.clock.advance(95 * SECOND)
    assert.ok(
      node(500)
        .speaker.neighbours()
        .some(({ state }) => state !== 'Established'),
    )
    for (const number of numbers) {
      if (number === 2) continue
      expect(node(number).fib.done, addressOf(number)).toEqual([`- ${blockOf(2)}`])
    }
  })

  test('a node that dies is missed by all when the hold time is over', () => {
    for (const { fib } of nodes) fib.done.length = 0
    node(NODES).kill()
    here.clock.advance(95 * SECOND)
    for (const number of numbers.slice(REFLECTORS, -1)) expect(node(number).fib.done).toEqual([`- ${blockOf(NODES)}`])
  })
})
