/**
 * A node of a cluster: it tells the others by a store that it is there, and sets its speaker, its tunnels and its masquerading as
 * the store says.
 *
 *   kernel: the link below ── own-address.ts ──┐                     ┌─> pool/registration.ts: the others know it
 *   store: pools, own blocks ──────────────────┼─> speaking.ts ──────┼─> settings ──> Speaker.apply
 *   store: nodes ── members.ts ────────────────┼─> tunnelling.ts ────┼─> state ──> reconcile/keep.ts
 *                                              └─> masquerade.ts ────┘
 *
 * Everything is worked out as a whole, a moment after something has changed. What cannot be had just now (the store, the link)
 * leaves all as it is.
 *
 * Who writes which routes: facts of one kind have one writer, and tunnels have precedence.
 *
 *   a pod's own address     its plugin                metric 0
 *   tunnelled prefixes      here, protocol 183        metric 31
 *   all other prefixes      the speaker, protocol 182 metric 32, and blackholes for the node's blocks
 */
import { type Speaker, toInstall } from '../bgp/speaker.ts'
import type { SpeakerSettings } from '../bgp/speaker-settings.ts'
import { KernelError } from '../kernel/errors.ts'
import type { Change, LiveKernel, Subscription } from '../kernel/live.ts'
import { type NodeView, watchNode } from '../pool/node-watch.ts'
import type { Node } from '../pool/nodes.ts'
import { Registration } from '../pool/registration.ts'
import type { Asker } from '../pool/requests.ts'
import { type Keeper, keep } from '../reconcile/keep.ts'
import { joinStates, type State } from '../reconcile/state.ts'
import type { Clock } from '../store/clock.ts'
import type { Store, Watch } from '../store/store.ts'
import type { Configuration } from './config.ts'
import { hasMasquerade, masqueradeState, noMasquerade } from './masquerade.ts'
import { type ClusterMemory, Members } from './members.ts'
import { describeOwnAddresses, findOwnAddresses, type OwnAddresses } from './own-address.ts'
import type { ClusterSettings } from './settings.ts'
import { speakerSettingsOf } from './speaking.ts'
import { noTunnels } from './tunnel-state.ts'
import type { TunnelledFib } from './tunnelled-fib.ts'
import { Tunnelling } from './tunnelling.ts'

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
  readonly #members: Members
  readonly #tunnelling: Tunnelling
  #tunnelled: readonly string[] = []
  #keeper: Keeper | undefined
  #settings: SpeakerSettings | undefined
  #joined: Joined | undefined
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
    this.#members = new Members(options.memory)
    this.#tunnelling = new Tunnelling({
      ...options,
      changed: () => this.#soon('plan'),
      problem: (about, text) => (text === undefined ? this.#solved(about) : this.#problem(about, text)),
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
        if (!this.#members.view) this.#recall()
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
    this.#leave(this.#tunnelled)
  }

  /** In whose name the node's plugin is answered. */
  get asker(): Asker {
    const { node, labels } = this.#configuration.cluster
    return { node, labels }
  }

  /** What cannot be as it should just now: for people. */
  get problems(): readonly string[] {
    const refused = this.#keeper?.refused.map(({ error }) => error.message) ?? []
    return [...this.#problems.values(), ...this.#tunnelling.leftOut, ...refused]
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
    if (this.#members.areSomeLingering) this.#soon('plan')
  }

  /** The others are told at once. Tunnels and rules go, unless routes are to persist. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cancelTurn?.()
    this.#subscription.close()
    this.#watch.close()
    this.#tunnelling.close()
    const { speaker, cluster } = this.#configuration
    if (!speaker.kernel?.persist) this.#keeper?.desire(joinStates(noTunnels(cluster.vxlan), noMasquerade))
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
    const { notice } = this.#options
    try {
      if (!this.#members.recall()) return
      notice('warn', 'The store does not answer: beginning with what it said last')
      this.#due.plan = true
      this.#turn()
    } catch (error) {
      this.#members.forget()
      notice('warn', `Cannot use what the store said last: ${(error as Error).message}`)
    }
  }

  #adopt(view: NodeView): void {
    this.#members.adopt(view)
    this.#solved('store')
    this.#soon('plan')
    try {
      this.#members.remember()
    } catch (error) {
      this.#options.notice('warn', (error as Error).message)
    }
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
    const [own, { view }] = [this.#own, this.#members]
    if (!own) return
    const { speaker, cluster } = this.#configuration
    if (view && speaker.kernel) this.#tunnelling.chooseMac(cluster.node, view, cluster.vxlan)
    const self = this.#self(own)
    this.#tell(self)
    if (!view) return
    const others = { ...view, nodes: this.#others(self) }
    this.#speak(speakerSettingsOf(speaker, cluster, self, others))
    const tunnels = this.#tunnelling.plan(self, own, others, cluster.vxlan)
    if (!tunnels) return
    const masquerade = speaker.kernel ? masqueradeState(view.pools) : noMasquerade
    this.#exchange(tunnels.prefixes, joinStates(tunnels.state, masquerade))
  }

  #self(own: OwnAddresses): Node {
    const { node, labels, reflector, vxlan } = this.#configuration.cluster
    const { mac } = this.#tunnelling
    return {
      name: node,
      ipv4: own.ipv4?.address,
      ipv6: own.ipv6?.address,
      as: this.#configuration.speaker.as,
      routeReflectorClusterId: reflector,
      vtep: mac === undefined ? undefined : { mac, vni: vxlan.vni },
      labels,
    }
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

  #others(self: Node): readonly Node[] {
    const { nodes, twins } = this.#members.othersThan(self, (address) => this.#isEstablished(address))
    const told = twins.map(({ name, address }) => `Node "${name}" says that it has ${address}, which is this node's`)
    if (told.length > 0) this.#problem('twins', told.join('; '))
    else this.#solved('twins')
    return nodes
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

  /** Each prefix has a route all the time: of BGP before its tunnel goes, of the tunnel before BGP's goes. */
  #exchange(prefixes: readonly string[], state: State): void {
    const before = new Set(this.#tunnelled)
    this.#tunnelled = prefixes
    this.#leave(prefixes.filter((prefix) => before.has(prefix)))
    if (this.#keeper || wantsAnything(state) || this.#hasLeftovers()) this.#keep().desire(state)
    this.#leave(prefixes)
  }

  /** An earlier life has had what is not wanted now. */
  #hasLeftovers(): boolean {
    return this.#tunnelling.hasLeftovers(this.#configuration.cluster.vxlan) || hasMasquerade(this.#options.kernel)
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

function wantsAnything({ owned: _, ...wanted }: State): boolean {
  return Object.keys(wanted).length > 0
}
