/**
 * What a node needs to know all the time: the pools, what it holds itself, who is there. It watches these and nothing else: a
 * cluster's blocks change with every container, a node's claims with every sixty-fourth.
 */
import type { Entry, Store, Watch } from '../store/store.ts'
import { parseClaim } from './affinity.ts'
import { NODES, nodePrefix, POOLS, parseNodeKey } from './keys.ts'
import { Mirror } from './mirror.ts'
import type { NodeHoldings } from './node-routes.ts'
import { type Node, parseNode } from './nodes.ts'
import { type Pool, parsePool } from './pool.ts'

export interface NodeView {
  readonly pools: readonly Pool[]
  readonly holdings: NodeHoldings
  readonly nodes: readonly Node[]
}

export interface NodeWatchEvents {
  /** All three have been read, or one of them has changed. */
  changed(view: NodeView): void
  /** For people: the store is away, or holds what cannot be read, which is left out. */
  problem(text: string): void
}

/** Until `close`. While the store is away the last view counts. */
export function watchNode(store: Store, node: string, events: NodeWatchEvents): Watch {
  const mirrors = [POOLS, nodePrefix(node), NODES].map((prefix) => new Mirror(store, prefix, tell, events.problem))
  const [pools, own, nodes] = mirrors as [Mirror, Mirror, Mirror]

  function tell(): void {
    if (!mirrors.every(({ isRead }) => isRead)) return
    const readable = <T>(mirror: Mirror, parse: (entry: Entry) => T): T[] =>
      mirror.entries.flatMap((entry) => {
        try {
          return [parse(entry)]
        } catch (error) {
          events.problem((error as Error).message)
          return []
        }
      })
    events.changed({
      pools: readable(pools, parsePool),
      holdings: holdingsIn(readable(own, (entry) => ({ ...parseNodeKey(entry.key)!, entry }))),
      nodes: readable(nodes, parseNode),
    })
  }

  return {
    close() {
      for (const mirror of mirrors) mirror.close()
    },
  }

  function holdingsIn(
    keys: readonly ({ readonly entry: Entry } & ({ readonly block: string } | { readonly borrowed: string }))[],
  ): NodeHoldings {
    const blocks: string[] = []
    const borrowed: string[] = []
    for (const key of keys) {
      if ('borrowed' in key) borrowed.push(key.borrowed)
      else if ('block' in key && isConfirmed(key.entry)) blocks.push(key.block)
    }
    return { blocks, borrowed }
  }

  function isConfirmed(entry: Entry): boolean {
    try {
      return parseClaim(entry) === 'confirmed'
    } catch (error) {
      events.problem((error as Error).message)
      return false
    }
  }
}
