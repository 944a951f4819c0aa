/**
 * A node of a cluster: it tells the others by a store that it is there, and sets its speaker and its tunnels as the store says.
 *
 *   kernel: the link below ── own-address.ts ──┐                       ┌─> pool/registration.ts: the others know it
 *   store: pools, own blocks, nodes ───────────┼─> speaking.ts ────────┼─> settings ──> Speaker.apply
 *   store: blocks of all, where a pool tunnels ┴─> pool/tunnels.ts ────┴─> tunnel-state.ts ──> reconcile/keep.ts
 *
 * Everything is worked out as a whole, a moment after something has changed. What cannot be had just now (the store, the link)
 * leaves all as it is. A node whose registration has run out stays a neighbour as long as its session is there: it is the store
 * that it has lost, and not us.
 *
 * Who writes which routes: facts of one kind have one writer, and tunnels have precedence.
 *
 *   a pod's own address     its plugin                metric 0
 *   tunnelled prefixes      here, protocol 183        metric 31
 *   all other prefixes      the speaker, protocol 182 metric 32, and blackholes for the node's blocks
 */
import { hostOf } from '../address/prefix.ts'
import { type Speaker, toInstall } from '../bgp/speaker.ts'
import type { SpeakerSettings } from '../bgp/speaker-settings.ts'
import { KernelError } from '../kernel/errors.ts'
import type { Change, LiveKernel, Subscription } from '../kernel/live.ts'
import { chooseVtepMac } from '../overlay/backend/vtep.ts'
import { watchHeld } from '../pool/held-watch.ts'
import { type NodeView, watchNode } from '../pool/node-watch.ts'
import type { Node } from '../pool/nodes.ts'
import { familyOfPool } from '../pool/pool.ts'
import { Registration } from '../pool/registration.ts'
import type { Asker } from '../pool/requests.ts'
import { type Held, type Tunnels, tunnelsFrom } from '../pool/tunnels.ts'
import { type Keeper, keep } from '../reconcile/keep.ts'
import type { Clock } from '../store/clock.ts'
import type { Store, Watch } from '../store/store.ts'
import type { Configuration } from './config.ts'
import { describeOwnAddresses, findOwnAddresses, type OwnAddresses } from './own-address.ts'
import type { ClusterSettings } from './settings.ts'
import { speakerSettingsOf } from './speaking.ts'
import { TunnelAddresses } from './tunnel-addresses.ts'
import { deviceOf, noTunnels, tunnelState } from './tunnel-state.ts'
import type { TunnelledFib } from './tunnelled-fib.ts'

/** Milliseconds from the first change to what follows from it: there are more to come. */
const MOMENT = 20
/** Milliseconds until the next look at a kernel that could not be looked at. */
const AFTER_FAILURE = 1_000
/** Milliseconds that a speaker waits for the store before it begins. */
const PATIENCE = 5_000

export interface ClusterNodeOptions {
  readonly configuration: NodeConfiguration
  readonly store: Store
  /** The speaker's own handle: its routes are not notified. */
  readonly kernel: LiveKernel
  readonly clock: Clock
  readonly randomBytes: (length: number) => Uint8Array
  /** What the store said last: for a beginning while it is away. undefined: nothing is remembered. */
  readonly memory: ClusterMemory | undefined
  notice(level: 'info' | 'warn', text: string): void
}

export interface ClusterMemory {
  /** undefined: nothing has been written. */
  read(): string | undefined
  write(text: string): void
}

export interface NodeConfiguration extends Configuration {
  readonly cluster: ClusterSettings
}

/** The speaker that is set, and its kernel routes. */
interface Joined {
  readonly speaker: Speaker
  /** undefined: it writes none. */
  readonly fib: TunnelledFib | undefined
}

export class ClusterNode {
  readonly #options: ClusterNodeOptions
  readonly #watch: Watch
  readonly #subscription: Subscription
  #configuration: NodeConfiguration
  #own: OwnAddresses | undefined
  #registration: Registration | undefined
  /** As the others were told last. */
  #told = ''
  #view: NodeView | undefined
  #heldWatch: Watch | undefined
  #held: readonly Held[] | undefined
  /** Gone from the store, while their sessions are there. */
  #lingering = new Map<string, Node>()
  #mac: string | undefined
  #keeper: Keeper | undefined
  readonly #addresses: TunnelAddresses
  #tunnels: Tunnels = { tunnels: [], leftOut: [] }
  #settings: SpeakerSettings | undefined
  #joined: Joined | undefined
  #remembered = ''
  readonly #waiting = new Set<() => void>()
  /** By what they are about, so that each is told once. */
  readonly #problems = new Map<string, string>()
  #due = { look: true, plan: true }
  #cancelTurn: (() => void) | undefined
  #isClosed = false

  constructor(options: ClusterNodeOptions) {
    const { configuration, store, kernel } = options
    this.#options = options
    this.#configuration = configuration
    this.#addresses = new TunnelAddresses({
      ...options,
      changed: () => this.#soon('plan'),
      problem: (text) => (text === undefined ? this.#solved('tunnel address') : this.#problem('tunnel address', text)),
    })
    this.#subscription = kernel.watch(['link', 'address', 'route'], (change) => this.#onChange(change), {
      exceptOwnRoutes: true,
    })
    this.#watch = watchNode(store, configuration.cluster.node, {
      changed: (view) => this.#adopt(view),
      problem: (text) => this.#problem('store', text),
    })
    this.#turn()
  }

  /**
   * What a speaker is to begin with: as soon as the store has answered and an address of the node's own is known, or, when that
   * takes too long, what it said last, or the file alone. One that began with less would let go of what an earlier life has left.
   */
  begin(): Promise<SpeakerSettings> {
    return new Promise((resolve) => {
      const done = () => {
        cancel()
        this.#waiting.delete(done)
        if (!this.#view) this.#recall()
        resolve(this.#settings ?? this.#configuration.speaker)
      }
      const cancel = this.#options.clock.after(PATIENCE, done)
      if (this.#settings) done()
      else this.#waiting.add(done)
    })
  }

  /** From now on the speaker is set as the store says. */
  join(speaker: Speaker, fib: TunnelledFib | undefined): void {
    this.#joined = { speaker, fib }
    this.#apply()
    this.#leave(this.#tunnels.tunnels.map(({ subnet }) => subnet))
  }

  /** In whose name the node's plugin is answered. */
  get asker(): Asker {
    const { node, labels } = this.#configuration.cluster
    return { node, labels }
  }

  /** What cannot be as it should just now: for people. */
  get problems(): readonly string[] {
    const refused = this.#keeper?.refused.map(({ error }) => error.message) ?? []
    return [...this.#problems.values(), ...this.#tunnels.leftOut.map(describeLeftOut), ...refused]
  }

  /** RangeError, with nothing changed, when it is another node, or another store. */
  configure(configuration: NodeConfiguration): void {
    const [before, after] = [this.#configuration.cluster, configuration.cluster]
    const isSame = before.node === after.node && JSON.stringify(before.store) === JSON.stringify(after.store)
    if (!isSame) throw new RangeError('cluster.store or name is another, which needs another start')
    this.#configuration = configuration
    this.#due.look = true
    this.#turn()
  }

  /** To be called when a session of the speaker has come or gone. */
  sessionsChanged(): void {
    if (this.#lingering.size > 0) this.#soon('plan')
  }

  /** The others are told at once. Tunnels go, unless routes are to persist. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cancelTurn?.()
    this.#subscription.close()
    this.#watch.close()
    this.#heldWatch?.close()
    this.#addresses.close()
    const { speaker, cluster } = this.#configuration
    if (!speaker.kernel?.persist) this.#keeper?.desire(noTunnels(cluster.vxlan))
    this.#keeper?.close()
    await this.#registration?.close()
  }

  #onChange(change: Change | 'lost'): void {
    if (change !== 'lost' && change.subject === 'route') {
      const { destination = '/0' } = (change.thing as { readonly destination?: string } | undefined) ?? {}
      if (!destination.endsWith('/0')) return // a pod's: it says nothing of the way to other nodes
    }
    this.#soon('look')
  }

  #recall(): void {
    const { memory, notice } = this.#options
    try {
      const text = memory?.read()
      if (text === undefined) return
      this.#view = JSON.parse(text) as NodeView
      notice('warn', 'The store does not answer: beginning with what it said last')
      this.#due.plan = true
      this.#turn()
    } catch (error) {
      this.#view = undefined
      notice('warn', `Cannot use what the store said last: ${(error as Error).message}`)
    }
  }

  #remember(view: NodeView): void {
    const text = JSON.stringify(view)
    if (text === this.#remembered) return
    this.#remembered = text
    try {
      this.#options.memory?.write(text)
    } catch (error) {
      this.#options.notice('warn', (error as Error).message)
    }
  }

  /** Nodes that have gone stay while they speak; and who has come with another's address has taken its place. */
  #adopt(view: NodeView): void {
    const names = new Set(view.nodes.map(({ name }) => name))
    for (const node of this.#view?.nodes ?? []) if (!names.has(node.name)) this.#lingering.set(node.name, node)
    for (const name of names) this.#lingering.delete(name)
    this.#view = view
    this.#remember(view)
    this.#solved('store')
    this.#soon('plan')
  }

  #soon(what: 'look' | 'plan', delay = MOMENT): void {
    this.#due[what] = true
    if (this.#isClosed) return
    this.#cancelTurn ??= this.#options.clock.after(delay, () => {
      this.#cancelTurn = undefined
      this.#turn()
    })
  }

  #turn(): void {
    try {
      if (this.#due.look) this.#look()
      if (this.#due.plan) this.#plan()
      this.#solved('kernel')
    } catch (error) {
      // A kernel that cannot be read now: its tables change all the time, or there is no memory.
      if (!(error instanceof KernelError)) throw error
      this.#problem('kernel', `${error.message}; trying again`)
      this.#due = { look: true, plan: true }
      this.#soon('look', AFTER_FAILURE)
    }
  }

  /** By which addresses do the others know us? */
  #look(): void {
    const { kernel } = this.#options
    const { speaker, cluster } = this.#configuration
    try {
      const own = findOwnAddresses(kernel, { families: speaker.families, ...cluster.uplink })
      if (JSON.stringify(own) !== JSON.stringify(this.#own)) {
        this.#options.notice('info', `Other nodes reach this one by ${describeOwnAddresses(own)}`)
      }
      this.#own = own
      this.#solved('address')
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      this.#problem('address', this.#own ? `${error.message}; everything stays as it is` : error.message)
    }
    this.#due.look = false
    this.#due.plan = true
  }

  #plan(): void {
    this.#due.plan = false
    const [own, view] = [this.#own, this.#view]
    if (!own) return
    if (view) this.#chooseMac(view)
    const self = this.#self(own)
    this.#tell(self)
    if (!view) return
    const nodes = this.#others(self, view)
    const { speaker, cluster } = this.#configuration
    this.#speak(speakerSettingsOf(speaker, cluster, self, { ...view, nodes }))
    this.#tunnel(self, own, view, nodes)
  }

  #self(own: OwnAddresses): Node {
    const { node, labels, reflector, vxlan } = this.#configuration.cluster
    return {
      name: node,
      ipv4: own.ipv4?.address,
      ipv6: own.ipv6?.address,
      as: this.#configuration.speaker.as,
      routeReflectorClusterId: reflector,
      vtep: this.#mac === undefined ? undefined : { mac: this.#mac, vni: vxlan.vni },
      labels,
    }
  }

  /** A device that is there keeps its MAC; one that is gone gets that which the others still know. */
  #chooseMac({ pools, nodes }: NodeView): void {
    const { kernel, randomBytes } = this.#options
    const { cluster, speaker } = this.#configuration
    if (this.#mac !== undefined || !speaker.kernel || !pools.some(({ vxlanMode }) => vxlanMode !== 'Never')) return
    const told = nodes.find(({ name }) => name === cluster.node)?.vtep?.mac
    this.#mac = chooseVtepMac(kernel, deviceOf('ipv4', cluster.vxlan), told, randomBytes)
  }

  #tell(self: Node): void {
    const text = JSON.stringify(self)
    if (text === this.#told) return
    this.#told = text
    const { store, clock } = this.#options
    if (this.#registration) this.#registration.change(self)
    else {
      const problem = (why: string) => this.#problem('store', why)
      this.#registration = new Registration(self, { store, clock, problem })
    }
  }

  #others(self: Node, { nodes }: NodeView): readonly Node[] {
    const taken = new Set(nodes.flatMap(addressesOf))
    for (const [name, node] of this.#lingering) {
      const addresses = addressesOf(node)
      const isThere = addresses.some((address) => this.#isEstablished(address) && !taken.has(address))
      if (!isThere) this.#lingering.delete(name)
    }
    const own = new Set(addressesOf(self))
    return [...nodes, ...this.#lingering.values()].filter((node) => {
      if (node.name === self.name) return false
      const twin = addressesOf(node).find((address) => own.has(address))
      if (twin === undefined) this.#solved(`twin ${node.name}`)
      else this.#problem(`twin ${node.name}`, `Node "${node.name}" says that it has ${twin}, which is this node's`)
      return twin === undefined
    })
  }

  #speak(settings: SpeakerSettings): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return
    this.#settings = settings
    for (const done of this.#waiting) done()
    this.#apply()
  }

  #apply(): void {
    if (!this.#joined || !this.#settings) return
    try {
      this.#joined.speaker.apply(this.#settings)
      this.#solved('speaker')
    } catch (error) {
      this.#problem('speaker', `${(error as Error).message}; the speaker goes on as it was`)
    }
  }

  #isEstablished(address: string): boolean {
    return this.#joined?.speaker.neighbour(address)?.state === 'Established'
  }

  /** Prefixes that the speaker's kernel routes leave out from now on. */
  #leave(prefixes: readonly string[]): void {
    if (!this.#joined) return
    const { speaker, fib } = this.#joined
    fib?.leave(prefixes, (family, key) => toInstall(speaker.ribs.tables[family].equal(key)))
  }

  #tunnel(self: Node, own: OwnAddresses, { pools }: NodeView, nodes: readonly Node[]): void {
    const { store, kernel, notice } = this.#options
    const { vxlan } = this.#configuration.cluster
    const tunnelled = pools.filter(({ vxlanMode }) => vxlanMode !== 'Never')
    this.#addresses.want(this.asker, this.#mac === undefined ? [] : tunnelled)
    if (this.#mac === undefined || tunnelled.length === 0) {
      this.#heldWatch?.close()
      this.#heldWatch = undefined
      this.#held = undefined
      this.#exchange({ tunnels: [], leftOut: [] }, () => {
        const isAnyThere = kernel.links.get(deviceOf('ipv4', vxlan)) ?? kernel.links.get(deviceOf('ipv6', vxlan))
        if (this.#keeper || isAnyThere) this.#keep().desire(noTunnels(vxlan))
      })
      return
    }
    this.#heldWatch ??= watchHeld(store, {
      changed: (held) => {
        this.#held = held
        this.#soon('plan')
      },
      problem: (text) => this.#problem('store', text),
    })
    if (!this.#held) return
    const mac = this.#mac
    const { addresses } = this.#addresses
    const families = [...new Set(tunnelled.map(familyOfPool))]
    const found = tunnelsFrom(self, pools, nodes, this.#held)
    const before = new Set(this.#tunnels.leftOut.map(describeLeftOut))
    for (const text of found.leftOut.map(describeLeftOut)) if (!before.has(text)) notice('warn', text)
    this.#exchange(found, () =>
      this.#keep().desire(tunnelState({ families, own, mac, vxlan, tunnels: found.tunnels, addresses })),
    )
  }

  /** Each prefix has a route all the time: of BGP before its tunnel goes, of the tunnel before BGP's goes. */
  #exchange(tunnels: Tunnels, write: () => void): void {
    const before = new Set(this.#tunnels.tunnels.map(({ subnet }) => subnet))
    const after = tunnels.tunnels.map(({ subnet }) => subnet)
    this.#tunnels = tunnels
    this.#leave(after.filter((prefix) => before.has(prefix)))
    write()
    this.#leave(after)
  }

  #keep(): Keeper {
    const { kernel, clock, notice } = this.#options
    this.#keeper ??= keep(kernel, clock, {
      refused: ({ message }) => notice('warn', `${message}; trying again`),
      contested: (what) => notice('warn', `Somebody else keeps changing ${what}; putting it right`),
      failed: ({ message }) => notice('warn', `${message}; trying again`),
    })
    return this.#keeper
  }

  #problem(about: string, text: string): void {
    if (this.#problems.get(about) === text) return
    this.#problems.set(about, text)
    this.#options.notice('warn', text)
  }

  #solved(about: string): void {
    this.#problems.delete(about)
  }
}

function addressesOf({ ipv4, ipv6 }: Node): string[] {
  return [ipv4, ipv6].flatMap((address) => (address === undefined ? [] : hostOf(address)))
}

function describeLeftOut({ prefix, reason }: Tunnels['leftOut'][number]): string {
  return `Cannot reach ${prefix} by a tunnel: ${reason}`
}
