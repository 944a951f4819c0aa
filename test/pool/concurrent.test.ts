/**
 * Several nodes at once, step by step in every order that chance finds. Answers are lost, and nodes die between two steps. After
 * each step everything in the store fits together; in the end nothing is left over.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import type { Family } from '../../src/address/ip.ts'
import { type Assigned, assign } from '../../src/pool/assign.ts'
import { addressAt } from '../../src/pool/block.ts'
import { releaseEmptyBlocks, releaseStale, removeNode } from '../../src/pool/collect.ts'
import { PoolError } from '../../src/pool/errors.ts'
import { changePool } from '../../src/pool/pools.ts'
import { releaseAddress, releaseHandle } from '../../src/pool/release.ts'
import { changeSettings } from '../../src/pool/settings.ts'
import type { Step, Steps } from '../../src/pool/steps.ts'
import { requestOf, World } from './world.ts'

const POOL = '10.244.0.0/27' // eight blocks of four addresses
const POOL6 = 'fd00:244::/125' // two of them

type Order =
  | { readonly do: 'assign'; readonly node: number; readonly container: number; readonly families: readonly Family[] }
  | { readonly do: 'release'; readonly node: number; readonly container: number }
  | { readonly do: 'release again'; readonly node: number; readonly container: number }
  | { readonly do: 'release empty' | 'collect' | 'remove node'; readonly node: number }
  | { readonly do: 'disable' | 'enable'; readonly node: number }
  | {
      readonly do: 'advance'
      readonly node: number
      readonly steps: number
      readonly fault: 'none' | 'answer lost' | 'death'
    }

/** Who does something: two on each of three nodes. */
const ACTORS = 6
const node = fc.integer({ min: 0, max: ACTORS - 1 })
const nameOf = (actor: number) => `n${actor % 3}`
const handleOf = (actor: number, container: number) => `actor${actor}:c${container}:eth0`
const container = fc.integer({ min: 0, max: 9 })
const families = fc.constantFrom<readonly Family[]>(['ipv4'], ['ipv4'], ['ipv4', 'ipv6'])
const fault = fc.constantFrom<'none' | 'answer lost' | 'death'>('none', 'none', 'none', 'none', 'answer lost', 'death')
const order: fc.Arbitrary<Order> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('assign' as const), node, container, families }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('release' as const, 'release again' as const), node, container }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'release empty' as const,
        'release empty' as const,
        'collect' as const,
        'remove node' as const,
      ),
      node,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('disable' as const, 'enable' as const), node }) },
  {
    weight: 20,
    arbitrary: fc.record({ do: fc.constant('advance' as const), node, steps: fc.integer({ min: 1, max: 4 }), fault }),
  },
)

/** What a node does just now, and does again when it did not hear an answer. */
interface Task {
  readonly begin: () => Steps<unknown>
  readonly done: (answer: unknown) => void
  steps: Steps<unknown>
  next: IteratorResult<Step, unknown> | undefined
}

class Nodes {
  readonly world = new World()
  readonly tasks: (Task | undefined)[] = []
  /** Who was told that he has which addresses, and has not asked for their release since. */
  readonly told = new Map<string, readonly Assigned[]>()
  /** What was released once. */
  readonly past: { readonly address: string; readonly sequence: number }[] = []

  readonly #answers: 'are checked' | 'are believed'

  constructor(answers: 'are checked' | 'are believed' = 'are checked') {
    this.#answers = answers
    this.world.pool({ cidr: POOL, blockSize: 30 })
    this.world.pool({ cidr: POOL6, blockSize: 126 })
  }

  carryOut(order: Order): void {
    if (order.do === 'advance') {
      for (let n = 0; n < order.steps; n++) this.advance(order.node, n === order.steps - 1 ? order.fault : 'none')
      return
    }
    this.finish(order.node) // a node does one thing at a time
    const name = nameOf(order.node)
    switch (order.do) {
      case 'assign': {
        const handle = handleOf(order.node, order.container)
        const request = requestOf(name, handle, { families: order.families })
        this.begin(
          order.node,
          () => assign(request),
          (answer) => this.tell(handle, answer as Assigned[]),
        )
        break
      }
      case 'release': {
        const handle = handleOf(order.node, order.container)
        const released = this.told.get(handle) ?? []
        this.told.delete(handle)
        this.begin(
          order.node,
          () => releaseHandle(handle),
          () => void this.past.push(...released),
        )
        break
      }
      case 'release again': {
        // Late: it must not hit who has the address now.
        const { address, sequence } = this.past[order.container % Math.max(1, this.past.length)] ?? {}
        if (address === undefined) return
        this.begin(order.node, () => releaseAddress(address, { sequence: sequence! }))
        break
      }
      case 'release empty':
        this.begin(order.node, () => releaseEmptyBlocks(name, {}))
        break
      case 'collect':
        this.begin(order.node, () =>
          releaseStale(name, ({ handle }) => handle.startsWith(`actor${order.node}:`) && !this.told.has(handle)),
        )
        break
      case 'remove node': {
        const others = [order.node % 3, (order.node % 3) + 3]
        for (const actor of others) this.finish(actor) // who is removed is not at work
        for (const [handle, assigned] of this.told) {
          if (!others.some((actor) => handle.startsWith(`actor${actor}:`))) continue
          this.past.push(...assigned)
          this.told.delete(handle)
        }
        this.begin(order.node, () => removeNode(name))
        this.finish(order.node)
        break
      }
      case 'disable':
      case 'enable':
        this.begin(order.node, () => changePool(POOL, { disabled: order.do === 'disable' }))
    }
  }

  finish(node: number): void {
    while (this.tasks[node]) this.advance(node, 'none')
  }

  begin(node: number, begin: () => Steps<unknown>, done: (answer: unknown) => void = () => {}): void {
    this.tasks[node] = { begin, done, steps: begin(), next: undefined }
  }

  advance(node: number, fault: 'none' | 'answer lost' | 'death'): void {
    const task = this.tasks[node]
    if (!task) return
    if (fault === 'death') {
      this.tasks[node] = undefined
      return
    }
    try {
      task.next ??= task.steps.next()
      if (task.next.done) {
        this.tasks[node] = undefined
        task.done(task.next.value)
        return
      }
      const answer = perform(this.world, task.next.value)
      if ('writes' in task.next.value) this.world.assertSound()
      if (fault === 'answer lost') {
        task.steps = task.begin()
        task.next = undefined
      } else task.next = task.steps.next(answer)
    } catch (error) {
      if (!(error instanceof PoolError) || error.kind !== 'exhausted') throw error
      this.tasks[node] = undefined
    }
  }

  tell(handle: string, assigned: readonly Assigned[]): void {
    for (const [other, addresses] of this.told) {
      if (other === handle || this.#answers === 'are believed') continue
      for (const { address } of addresses) {
        assert.ok(!assigned.some((each) => each.address === address), `${handle} and ${other} both have ${address}`)
      }
    }
    this.told.set(handle, assigned)
  }

  /** Everybody ends what he began, and everything is released. */
  settle(): void {
    for (let node = 0; node < ACTORS; node++) this.finish(node)
    for (const [handle, assigned] of this.#answers === 'are checked' ? this.told : []) {
      for (const { address } of assigned) this.assertHeld(handle, address)
    }
    for (let node = 0; node < 3; node++) this.world.do(removeNode(nameOf(node)))
    this.world.assertSound()
  }

  assertHeld(handle: string, address: string): void {
    const held = this.world.blocks.some(({ cidr, allocations }) =>
      [...allocations].some(([ordinal, each]) => each.handle === handle && addressAt({ cidr }, ordinal) === address),
    )
    assert.ok(held, `${handle} was told that it has ${address}`)
  }
}

function perform(world: World, step: Step): unknown {
  if ('get' in step) return world.get(step.get)
  if ('list' in step) return world.list(step.list)
  return world.transact(step.conditions, step.writes)
}

test('whoever removes a node that is still at work, what is in the store fits together', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(order, node), { minLength: 100, maxLength: 250 }), (orders) => {
      const nodes = new Nodes('are believed')
      for (const [each, other] of orders) {
        if (each.do === 'remove node') {
          nodes.finish(each.node)
          nodes.begin(each.node, () => removeNode(nameOf(other)))
        } else nodes.carryOut(each)
      }
      nodes.settle()
    }),
    { numRuns: 40, endOnFailure: true },
  )
})

for (const strictAffinity of [false, true]) {
  test(`no address is given out twice, nothing is lost, nothing is left${strictAffinity ? ', with strict affinity' : ''}`, () => {
    fc.assert(
      fc.property(fc.array(order, { minLength: 100, maxLength: 250 }), (orders) => {
        const nodes = new Nodes()
        nodes.world.do(changeSettings({ strictAffinity, maxBlocksPerHost: 3 }))
        for (const each of orders) nodes.carryOut(each)
        nodes.settle()
        assert.deepEqual(
          nodes.world.keys.filter((key) => !key.includes('/pool') && !key.endsWith('/config')),
          [],
        )
        if (strictAffinity) assert.deepEqual(nodes.world.borrowed, [])
      }),
      { numRuns: 40, endOnFailure: true },
    )
  })
}

test('as many addresses are given out as there are, whoever asks', () => {
  fc.assert(
    fc.property(fc.array(node, { minLength: 40, maxLength: 40 }), (order) => {
      const world = new World()
      world.pool({ cidr: POOL, blockSize: 30 })
      const given = new Set<string>()
      for (const [n, node] of order.entries()) {
        try {
          given.add(world.address(`n${node}`, `net:c${n}:eth0`))
        } catch (error) {
          assert.equal((error as PoolError).kind, 'exhausted')
          assert.equal(given.size, 32)
        }
      }
      assert.equal(given.size, 32)
      world.assertSound()
    }),
    { numRuns: 50 },
  )
})
