/**
 * Two do something at once: whichever of their steps come first, and wherever one of them dies, what is in the store fits
 * together, and whoever lives ends as if he had been alone.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { assign } from '../../src/pool/assign.ts'
import { releaseEmptyBlocks, removeNode } from '../../src/pool/collect.ts'
import { PoolError } from '../../src/pool/errors.ts'
import { changePool, deletePool } from '../../src/pool/pools.ts'
import { releaseBlock, releaseHandle } from '../../src/pool/release.ts'
import type { Step, Steps } from '../../src/pool/steps.ts'
import { requestOf, World } from './world.ts'

const POOL = '10.244.0.0/29' // two blocks of four
const POOL6 = 'fd00:244::/126' // one

const worlds: Readonly<Record<string, (world: World) => void>> = {
  'with nothing yet': () => {},
  'with an empty block of n1': (world) => {
    world.assign('n1', 'a:1:eth0')
    world.do(releaseHandle('a:1:eth0'))
  },
  'with an address in use': (world) => void world.assign('n1', 'a:held:eth0'),
  'with all blocks of n1, and one address borrowed': (world) => {
    for (let n = 0; n < 5; n++) world.assign('n1', `a:${n}:eth0`)
    world.assign('n2', 'a:borrowed:eth0')
    for (let n = 0; n < 5; n++) world.do(releaseHandle(`a:${n}:eth0`))
  },
  "with nobody's block, of which one address is borrowed": (world) => {
    for (let n = 0; n < 5; n++) world.assign('n1', `a:${n}:eth0`)
    world.assign('n2', 'a:borrowed:eth0')
    world.do(removeNode('n1'))
  },
}

const actions: Readonly<Record<string, (world: World) => Steps<unknown>>> = {
  'n1 assigns': () => assign(requestOf('n1', 'a:one:eth0')),
  'n1 assigns of both families': () => assign(requestOf('n1', 'a:one:eth0', { families: ['ipv4', 'ipv6'] })),
  'what n1 assigned is released': () => releaseHandle('a:one:eth0'),
  'n2 assigns': () => assign(requestOf('n2', 'a:two:eth0')),
  'n2 assigns a certain address': () => assign(requestOf('n2', 'a:certain:eth0', { addresses: ['10.244.0.6'] })),
  'n1 gives empty blocks back': () => releaseEmptyBlocks('n1', {}),
  'n1 gives all its blocks up': (world) => givingUp(world),
  'n1 is removed': () => removeNode('n1'),
  'the address in use is released': () => releaseHandle('a:held:eth0'),
  'the borrowed address is released': () => releaseHandle('a:borrowed:eth0'),
  'the pool is disabled': () => changePool(POOL, { disabled: true }),
  'the pool is deleted': () => deletePool(POOL),
}

function* givingUp(world: World): Steps<void> {
  for (const { cidr } of world.blocks) yield* releaseBlock('n1', cidr)
}

/** Advances by so many steps at most; says whether it has ended. What is refused has ended, too. */
function advance(
  world: World,
  steps: Steps<unknown>,
  begun: { next?: IteratorResult<Step, unknown> },
  count: number,
): boolean {
  try {
    begun.next ??= steps.next()
    for (let n = 0; n < count; n++) {
      if (begun.next.done) return true
      const step = begun.next.value
      begun.next = steps.next(answer(world, step))
      if ('writes' in step) world.assertSound()
    }
    return begun.next.done === true
  } catch (error) {
    if (error instanceof PoolError && error.kind !== 'damaged') return true
    throw error
  }
}

function answer(world: World, step: Step): unknown {
  if ('get' in step) return world.get(step.get)
  if ('list' in step) return world.list(step.list)
  return world.transact(step.conditions, step.writes)
}

/** More steps than any of them has. */
const END = 2000

for (const [state, prepare] of Object.entries(worlds)) {
  describe(state, () => {
    for (const [firstName, first] of Object.entries(actions)) {
      test(`${firstName}, while somebody else does anything`, () => {
        for (const second of Object.values(actions)) {
          // The first has done so many steps when the second does so many and dies, or all of them.
          for (let early = 0, isOver = false; !isOver; early++) {
            for (let late = 1, isWhole = false; !isWhole; late++) {
              const world = new World()
              world.pool({ cidr: POOL, blockSize: 30 })
              world.pool({ cidr: POOL6, blockSize: 126 })
              prepare(world)
              const [one, other] = [{}, {}]
              const [a, b] = [first(world), second(world)]
              isOver = advance(world, a, one, early)
              isWhole = advance(world, b, other, late)
              assert.ok(advance(world, a, one, END), 'the first ends')
              for (const node of ['n1', 'n2']) world.do(removeNode(node))
              world.assertSound()
              assert.deepEqual(
                world.keys.filter((key) => key.includes('/ipam/v2/')),
                [],
              )
            }
          }
        }
      })
    }
  })
}
