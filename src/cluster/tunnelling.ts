/**
 * What a node does for blocks that are reached in VXLAN: it watches the blocks of all while some pool tunnels, chooses the MAC of its
 * devices, holds an address of such a pool, and works out what its kernel should look like.
 *
 *   store: blocks of all, where a pool tunnels ──> pool/tunnels.ts ──> tunnel-state.ts
 */
import type { LiveKernel } from '../kernel/live.ts'
import { chooseVtepMac } from '../overlay/backend/vtep.ts'
import { watchHeld } from '../pool/held-watch.ts'
import type { NodeView } from '../pool/node-watch.ts'
import type { Node } from '../pool/nodes.ts'
import { familyOfPool } from '../pool/pool.ts'
import type { Asker } from '../pool/requests.ts'
import { type Held, type Tunnels, tunnelsFrom } from '../pool/tunnels.ts'
import type { State } from '../reconcile/state.ts'
import type { Clock } from '../store/clock.ts'
import type { Store, Watch } from '../store/store.ts'
import type { OwnAddresses } from './own-address.ts'
import type { VxlanSettings } from './settings.ts'
import { TunnelAddresses } from './tunnel-addresses.ts'
import { deviceOf, noTunnels, tunnelState } from './tunnel-state.ts'

export interface TunnellingOptions {
  readonly store: Store
  readonly kernel: LiveKernel
  readonly clock: Clock
  readonly randomBytes: (length: number) => Uint8Array
  /** What `plan` answers may be something else now. */
  changed(): void
  /** For people; undefined: what there was is over. */
  problem(about: 'store' | 'tunnel address', text: string | undefined): void
  notice(level: 'warn', text: string): void
}

export interface TunnelPlan {
  readonly state: State
  /** What goes through tunnels. */
  readonly prefixes: readonly string[]
}

export class Tunnelling {
  readonly #options: TunnellingOptions
  readonly #addresses: TunnelAddresses
  #mac: string | undefined
  #heldWatch: Watch | undefined
  #held: readonly Held[] | undefined
  #leftOut: readonly string[] = []

  constructor(options: TunnellingOptions) {
    this.#options = options
    const problem = (text: string | undefined) => options.problem('tunnel address', text)
    this.#addresses = new TunnelAddresses({ ...options, problem })
  }

  /** Of all of the node's devices. undefined: no pool has tunnelled so far. */
  get mac(): string | undefined {
    return this.#mac
  }

  /** What cannot be reached, and why: for people. */
  get leftOut(): readonly string[] {
    return this.#leftOut
  }

  /** A device that is there keeps its MAC; one that is gone gets that which the others still know. */
  chooseMac(node: string, { pools, nodes }: NodeView, vxlan: VxlanSettings): void {
    if (this.#mac !== undefined || !pools.some(({ vxlanMode }) => vxlanMode !== 'Never')) return
    const told = nodes.find(({ name }) => name === node)?.vtep?.mac
    const { kernel, randomBytes } = this.#options
    this.#mac = chooseVtepMac(kernel, deviceOf('ipv4', vxlan), told, randomBytes)
  }

  /** undefined: what is to be there is not known yet, and all stays as it is. */
  plan(self: Node, own: OwnAddresses, { pools, nodes }: NodeView, vxlan: VxlanSettings): TunnelPlan | undefined {
    const asker: Asker = { node: self.name, labels: self.labels }
    const tunnelled = this.#mac === undefined ? [] : pools.filter(({ vxlanMode }) => vxlanMode !== 'Never')
    this.#addresses.want(asker, tunnelled)
    if (this.#mac === undefined || tunnelled.length === 0) {
      this.#stopWatching()
      this.#leaveOut([])
      return { state: noTunnels(vxlan), prefixes: [] }
    }
    this.#heldWatch ??= this.#watchHeld()
    if (!this.#held) return undefined
    const { tunnels, leftOut } = tunnelsFrom(self, pools, nodes, this.#held)
    this.#leaveOut(leftOut)
    const families = [...new Set(tunnelled.map(familyOfPool))]
    const { addresses } = this.#addresses
    const state = tunnelState({ families, own, mac: this.#mac, vxlan, tunnels, addresses })
    return { state, prefixes: tunnels.map(({ subnet }) => subnet) }
  }

  /** Devices of an earlier life are there. */
  hasLeftovers(vxlan: VxlanSettings): boolean {
    const { links } = this.#options.kernel
    return [deviceOf('ipv4', vxlan), deviceOf('ipv6', vxlan)].some((name) => links.get(name) !== undefined)
  }

  close(): void {
    this.#stopWatching()
    this.#addresses.close()
  }

  #watchHeld(): Watch {
    const { store, changed, problem } = this.#options
    return watchHeld(store, {
      changed: (held) => {
        this.#held = held
        changed()
      },
      problem: (text) => problem('store', text),
    })
  }

  #stopWatching(): void {
    this.#heldWatch?.close()
    this.#heldWatch = undefined
    this.#held = undefined
  }

  /** Each is told once. */
  #leaveOut(leftOut: Tunnels['leftOut']): void {
    const before = new Set(this.#leftOut)
    this.#leftOut = leftOut.map(({ prefix, reason }) => `Cannot reach ${prefix} by a tunnel: ${reason}`)
    for (const text of this.#leftOut) if (!before.has(text)) this.#options.notice('warn', text)
  }
}
