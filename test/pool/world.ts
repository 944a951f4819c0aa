/** A store that answers at once, nodes that use it, and what must hold of what it holds. */
import assert from 'node:assert/strict'
import type { Family } from '../../src/address/ip.ts'
import { parseClaim } from '../../src/pool/affinity.ts'
import { type Assigned, type AssignRequest, assign } from '../../src/pool/assign.ts'
import { addressAt, type Block, isEmpty, parseBlock } from '../../src/pool/block.ts'
import { parseHandle } from '../../src/pool/handle.ts'
import { blocksPrefix, CLAIMS, FAMILIES, handleKey, parseNodeKey } from '../../src/pool/keys.ts'
import type { NewPool } from '../../src/pool/pool.ts'
import { createPool } from '../../src/pool/pools.ts'
import { carryOutNow, type PromptStore, type Steps } from '../../src/pool/steps.ts'
import { State } from '../../src/store/state.ts'
import type { Condition, Entry, Listing, Revision, Write } from '../../src/store/store.ts'

export class World implements PromptStore {
  readonly state = new State()

  get(key: string): Entry | undefined {
    return this.state.get(key)
  }

  list(prefix: string): Listing {
    return this.state.list(prefix)
  }

  transact(conditions: readonly Condition[], writes: readonly Write[]): Revision | undefined {
    const step = this.state.transaction(conditions, writes)
    if (step) this.state.apply(step)
    return step && this.state.revision
  }

  do<T>(steps: Steps<T>): T {
    return carryOutNow(steps, this)
  }

  pool(given: NewPool): void {
    this.do(createPool(given))
  }

  assign(node: string, handle: string, more: Partial<AssignRequest> = {}): Assigned[] {
    return this.do(assign(requestOf(node, handle, more)))
  }

  /** The one IPv4 address that it gets. */
  address(node: string, handle: string, more: Partial<AssignRequest> = {}): string {
    return this.assign(node, handle, more)[0]!.address
  }

  get keys(): string[] {
    return this.state.list('').entries.map(({ key }) => key)
  }

  get blocks(): Block[] {
    return FAMILIES.flatMap((family) => this.list(blocksPrefix(family)).entries.map(parseBlock))
  }

  block(cidr: string): Block {
    const block = this.blocks.find((each) => each.cidr === cidr)
    assert.ok(block, `there is no block ${cidr}`)
    return block
  }

  /** `n1 10.244.0.0/26 confirmed`, in order. */
  get claims(): string[] {
    return this.list(CLAIMS).entries.flatMap((entry) => {
      const key = parseNodeKey(entry.key)!
      return 'block' in key ? [`${key.node} ${key.block} ${parseClaim(entry)}`] : []
    })
  }

  /** `n1 10.244.3.7`, in order. */
  get borrowed(): string[] {
    return this.list(CLAIMS).entries.flatMap(({ key }) => {
      const parsed = parseNodeKey(key)!
      return 'borrowed' in parsed ? [`${parsed.node} ${parsed.borrowed}`] : []
    })
  }

  /** What holds after every single transaction, whoever died where. */
  assertSound(): void {
    const handles = new Map<string, number>()
    const borrowed: string[] = []
    const states = new Map(this.claims.map((text) => [text.slice(0, text.lastIndexOf(' ')), text.split(' ')[2]!]))
    for (const block of this.blocks) {
      const { cidr, node } = block
      if (node === undefined) assert.ok(!isEmpty(block), `${cidr} is nobody's, and empty`)
      else assert.ok(states.has(`${node} ${cidr}`), `${node} has ${cidr} without a claim`)
      for (const [ordinal, { handle, attributes }] of block.allocations) {
        const key = `${handle} ${cidr}`
        handles.set(key, (handles.get(key) ?? 0) + 1)
        if (attributes.node === node)
          assert.equal(states.get(`${node} ${cidr}`), 'confirmed', `${node}'s claim of ${cidr}, which it uses`)
        if (attributes.node !== node) borrowed.push(`${attributes.node} ${addressAt(block, ordinal)}`)
      }
    }
    for (const [claim, state] of states) {
      if (state !== 'confirmed') continue
      const [node, cidr] = claim.split(' ')
      assert.equal(this.block(cidr!).node, node, `whose ${cidr} is, which ${node} has confirmed`)
    }
    const held = this.list(handleKey('')).entries.flatMap((entry) =>
      [...parseHandle(entry)].map(
        ([cidr, count]) => [`${entry.key.slice(handleKey('').length)} ${cidr}`, count] as const,
      ),
    )
    assert.deepEqual(new Map(held.sort()), new Map([...handles].sort()), 'handles count what blocks hold')
    assert.deepEqual(this.borrowed, borrowed.sort(), 'what is borrowed is written down')
  }
}

export function requestOf(node: string, handle: string, more: Partial<AssignRequest> = {}): AssignRequest {
  const families: Family[] = ['ipv4']
  return { handle, attributes: { node }, labels: {}, families, pools: undefined, addresses: [], ...more }
}
