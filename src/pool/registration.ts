/**
 * A node tells the others that it is there, bound to a lease that it keeps alive: when it dies they hear of it after the lease's
 * time; when it is stopped, at once. Whatever happens to the store, it tries again until it is closed.
 */
import type { Clock } from '../store/clock.ts'
import { type LeaseId, type Store, StoreError } from '../store/store.ts'
import { nodeKey } from './keys.ts'
import { formatNode, type Node } from './nodes.ts'

/** Seconds. Sessions notice a dead node sooner: it is only to be forgotten some time. */
const LEASE = 90
/** Milliseconds. */
const RENEWAL = (LEASE / 3) * 1000
const FIRST_PAUSE = 500
const LONGEST_PAUSE = 10_000

export interface RegistrationOptions {
  readonly store: Store
  readonly clock: Clock
  /** For people: why it could not be told just now. */
  problem(text: string): void
}

export class Registration {
  readonly #options: RegistrationOptions
  #node: Node
  #lease: LeaseId | undefined
  #cancel: () => void = () => {}
  #pause = FIRST_PAUSE
  #isClosed = false
  /** What is under way, one at a time. */
  #last: Promise<void> = Promise.resolve()

  /** PoolError when the others could not speak to such a node. */
  constructor(node: Node, options: RegistrationOptions) {
    formatNode(node)
    this.#node = node
    this.#options = options
    this.#soon(() => this.#tell())
  }

  /** The node has changed: another address, other labels. Its name stays. */
  change(node: Node): void {
    if (node.name !== this.#node.name) throw new RangeError(`Cannot call node "${this.#node.name}" "${node.name}"`)
    formatNode(node)
    this.#node = node
    this.#soon(() => this.#tell())
  }

  /** The others are told at once, if the store can be reached. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel()
    await this.#last
    const lease = this.#lease
    this.#lease = undefined
    if (lease !== undefined) await this.#options.store.revoke(lease).catch(() => {}) // its time ends it
  }

  async #tell(): Promise<void> {
    const { store, problem } = this.#options
    const isFirst = this.#lease === undefined // since the lease is: what is there may be an earlier life's
    this.#lease ??= await store.grant(LEASE)
    const key = nodeKey(this.#node.name)
    const value = formatNode(this.#node)
    const there = await store.get(key)
    if (!isFirst && there && there.lease !== this.#lease) {
      problem(`Another machine is there as node "${this.#node.name}", too: give one of them another name`)
    }
    if (there?.value !== value || there.lease !== this.#lease) {
      await store.transact([], [{ put: key, value, lease: this.#lease }])
    }
    this.#next(RENEWAL, () => this.#renew())
  }

  async #renew(): Promise<void> {
    await this.#options.store.keepAlive(this.#lease!)
    await this.#tell() // somebody may have deleted it
  }

  #next(milliseconds: number, what: () => Promise<void>): void {
    this.#cancel()
    if (!this.#isClosed) this.#cancel = this.#options.clock.after(milliseconds, () => this.#soon(what))
  }

  #soon(what: () => Promise<void>): void {
    this.#last = this.#last.then(async () => {
      if (this.#isClosed) return
      try {
        await what()
        this.#pause = FIRST_PAUSE
      } catch (error) {
        if (error instanceof StoreError && error.kind === 'not found')
          this.#lease = undefined // it has ended
        else this.#options.problem((error as Error).message)
        this.#next(this.#pause, () => this.#tell())
        this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE)
      }
    })
  }
}
