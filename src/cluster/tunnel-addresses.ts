/**
 * The node's own addresses on its tunnels, of the pools that tunnel: packets of the node itself go out with them, and answers come
 * back through the tunnel; the routers between would not know what to do with a pod's answer. As Calico's `vxlanTunnelAddress`.
 *
 * They stay the node's until no pool tunnels any more. Without one the node's own packets lack a way back, and nothing else.
 */
import type { Family } from '../address/ip.ts'
import { assign } from '../pool/assign.ts'
import { PoolError } from '../pool/errors.ts'
import { familyOfPool, type Pool } from '../pool/pool.ts'
import { releaseHandle } from '../pool/release.ts'
import type { Asker } from '../pool/requests.ts'
import { parseSelector } from '../pool/selector.ts'
import { carryOut } from '../pool/steps.ts'
import type { Clock } from '../store/clock.ts'
import { type Store, StoreError } from '../store/store.ts'

/** Milliseconds between attempts. */
const PAUSE = 10_000

export interface TunnelAddressesOptions {
  readonly store: Store
  readonly clock: Clock
  /** There are others now. */
  changed(): void
  /** For people: why one cannot be had just now; undefined: it is well. */
  problem(text: string | undefined): void
}

export class TunnelAddresses {
  readonly #options: TunnelAddressesOptions
  #addresses: readonly string[] = []
  /** What was asked for last. */
  #wanted = ''
  #asker: Asker | undefined
  #pools: readonly Pool[] = []
  #cancel: () => void = () => {}
  #last: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(options: TunnelAddressesOptions) {
    this.#options = options
  }

  /** Without prefix lengths, one of a family at most. */
  get addresses(): readonly string[] {
    return this.#addresses
  }

  /** One of each family of these pools; none: none at all. */
  want(asker: Asker, pools: readonly Pool[]): void {
    // Of one that is disabled it keeps what it has.
    const usable = pools.filter(({ nodeSelector }) => parseSelector(nodeSelector)(asker.labels))
    const wanted = usable.map(({ cidr }) => cidr).join(' ')
    this.#asker = asker
    if (wanted === this.#wanted) return
    this.#wanted = wanted
    this.#pools = usable
    this.#soon()
  }

  close(): void {
    this.#isClosed = true
    this.#cancel()
  }

  #soon(): void {
    this.#cancel()
    this.#last = this.#last.then(async () => {
      if (this.#isClosed) return
      try {
        await this.#ask()
        this.#options.problem(undefined)
      } catch (error) {
        if (!(error instanceof StoreError || error instanceof PoolError)) throw error
        this.#options.problem(`${error.message}; this node's own packets go without an address of its tunnel`)
        this.#cancel = this.#options.clock.after(PAUSE, () => this.#soon())
      }
    })
  }

  async #ask(): Promise<void> {
    const { store, changed } = this.#options
    const { node, labels } = this.#asker!
    const handle = `vxlan-tunnel-addr-${node}`
    const families = [...new Set(this.#pools.map(familyOfPool))] satisfies Family[]
    const pools = this.#pools.map(({ cidr }) => cidr)
    const attributes = { node, type: 'vxlanTunnelAddress' }
    if (families.length === 0) await carryOut(releaseHandle(handle), store)
    const assigned =
      families.length === 0
        ? []
        : await carryOut(assign({ handle, attributes, labels, families, pools, addresses: [] }), store)
    const addresses = assigned.map(({ address }) => address)
    if (addresses.join() === this.#addresses.join()) return
    this.#addresses = addresses
    changed()
  }
}
