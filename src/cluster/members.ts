/**
 * Who is there: the nodes that the store tells of, those that it has lost while their sessions are there, and, for a beginning while
 * the store is away, those that it told of last.
 *
 * A node whose registration has run out stays a neighbour as long as its session is there: it is the store that it has lost, and
 * not us. Somebody who has come with its address has taken its place.
 */
import { hostOf } from '../address/prefix.ts'
import type { NodeView } from '../pool/node-watch.ts'
import type { Node } from '../pool/nodes.ts'

export interface ClusterMemory {
  /** undefined: nothing has been written. */
  read(): string | undefined
  write(text: string): void
}

export interface Others {
  readonly nodes: readonly Node[]
  /** Left out, since they say that they have this address of ours. */
  readonly twins: readonly { readonly name: string; readonly address: string }[]
}

export class Members {
  readonly #memory: ClusterMemory | undefined
  #view: NodeView | undefined
  #written = ''
  /** Gone from the store, while their sessions are there. */
  readonly #lingering = new Map<string, Node>()

  constructor(memory: ClusterMemory | undefined) {
    this.#memory = memory
  }

  /** What the store says. undefined: it has not answered yet, and nothing is remembered. */
  get view(): NodeView | undefined {
    return this.#view
  }

  get areSomeLingering(): boolean {
    return this.#lingering.size > 0
  }

  adopt(view: NodeView): void {
    const names = new Set(view.nodes.map(({ name }) => name))
    for (const node of this.#view?.nodes ?? []) if (!names.has(node.name)) this.#lingering.set(node.name, node)
    for (const name of names) this.#lingering.delete(name)
    this.#view = view
  }

  /** The view is written down. Error when that cannot be done. */
  remember(): void {
    const text = JSON.stringify(this.#view)
    if (text === this.#written) return
    this.#written = text
    this.#memory?.write(text)
  }

  /** The view is what was written down last. Error when that cannot be read; false: nothing was written. */
  recall(): boolean {
    const text = this.#memory?.read()
    if (text === undefined) return false
    this.#view = JSON.parse(text) as NodeView
    return true
  }

  /** What cannot be used is not remembered. */
  forget(): void {
    this.#view = undefined
  }

  /** `isEstablished`: there is a session with this address. */
  othersThan(self: Node, isEstablished: (address: string) => boolean): Others {
    const nodes = this.#view?.nodes ?? []
    const taken = new Set(nodes.flatMap(addressesOf))
    for (const [name, node] of this.#lingering) {
      const isThere = addressesOf(node).some((address) => isEstablished(address) && !taken.has(address))
      if (!isThere) this.#lingering.delete(name)
    }
    const own = new Set(addressesOf(self))
    const others: Node[] = []
    const twins: { name: string; address: string }[] = []
    for (const node of [...nodes, ...this.#lingering.values()]) {
      if (node.name === self.name) continue
      const address = addressesOf(node).find((each) => own.has(each))
      if (address === undefined) others.push(node)
      else twins.push({ name: node.name, address })
    }
    return { nodes: others, twins }
  }
}

function addressesOf({ ipv4, ipv6 }: Node): string[] {
  return [ipv4, ipv6].flatMap((address) => (address === undefined ? [] : hostOf(address)))
}
