/**
 * A BGP speaker: neighbours, tables, and the kernel's routes.
 *
 *   transport ── neighbours.ts ── neighbour.ts ──> rib/ribs.ts ──> neighbours, and the kernel (node.ts: Fib)
 *
 * What comes in goes into the tables at once. What follows from it is told in rounds: one as soon as the loop is free, the next
 * after a rest as long as the round before. A single change is passed on without delay; of a full table reading and telling have
 * half of the time each, and routes share their messages.
 *
 * Everything is an argument: connections, clock and chance, the node. In memory a thousand speakers run in virtual time.
 */
import type { Clock } from '../store/clock.ts'
import { Interners } from './attribute/interner.ts'
import type { StartBfd } from './bfd.ts'
import { DEFERRAL, Deferral } from './deferral.ts'
import { FAMILIES, type Family } from './family.ts'
import type { Neighbour, NeighbourOwner, NeighbourStatus } from './neighbour.ts'
import { Neighbourhood } from './neighbourhood.ts'
import type { Fib, Node } from './node.ts'
import { Observers } from './observer.ts'
import { OwnNetworks } from './own-networks.ts'
import type { Speaking } from './peer-owner.ts'
import { ReadingTurns } from './reading-turns.ts'
import type { Path } from './rib/path.ts'
import { Ribs } from './rib/ribs.ts'
import { clustersOf, Filters, type SpeakerIdentity } from './rules.ts'
import type { Network, SpeakerSettings } from './speaker-settings.ts'
import type { Transport } from './transport.ts'

export interface SpeakerOptions {
  readonly settings: SpeakerSettings
  readonly transport: Transport
  readonly clock: Clock
  /** From 0 to below 1. */
  readonly random: () => number
  readonly node: Node
  /** undefined: routes are not written. */
  readonly fib: Fib | undefined
  /** undefined: there is no BFD. */
  readonly startBfd: StartBfd | undefined
  /** The speaker was there before, and packets have gone on by its routes: RFC 4724 §4.1. */
  readonly restarted: boolean
  log(level: 'info' | 'warn' | 'error', text: string): void
  /** Many speakers of one process may share what they have decoded. undefined: it has its own. */
  readonly attributes?: Interners
  /** A session or its routes are in another state. */
  changed?(): void
}

/** Milliseconds that a round rests for at most: then somebody has changed the clock. */
const LONGEST_REST = 1_000
const NO_PATHS: readonly Path[] = []

/** What ends when the identity of the speaker is another: RFC 4271 knows no session that goes on then. */
interface Life {
  readonly ribs: Ribs
  readonly neighbours: Neighbourhood
  readonly unwatch: () => void
}

export class Speaker {
  /** Who watches it. */
  readonly observers = new Observers()
  readonly #options: SpeakerOptions
  readonly #interners: Interners
  readonly #filters = new Filters()
  readonly #deferral: Deferral
  readonly #own: OwnNetworks
  #settings: SpeakerSettings
  #identity: SpeakerIdentity
  #life: Life
  #cancelRound: (() => void) | undefined
  #restUntil = 0
  #cancelSweep: () => void = () => {}
  #isOpen = true

  /** Listens, and lets its neighbours be dialled. Throws when it cannot listen, or a filter means nothing. */
  constructor(options: SpeakerOptions) {
    this.#options = options
    this.#interners = options.attributes ?? new Interners()
    this.#checkFilters(options.settings)
    this.#settings = options.settings
    this.#identity = this.#identityOf(options.settings)
    this.#deferral = new Deferral(options.clock, options.restarted, (why) => this.#goOn(why))
    this.#life = this.#begin()
    this.#own = new OwnNetworks(this.#life.ribs)
    this.#own.configure(this.#settings.networks)
    this.#configureFib()
    this.#life.neighbours.configure(this.#settings.neighbours)
    this.#sweepLeftovers()
    this.#deferral.check(this.#life.neighbours.all)
    this.#touched()
  }

  // What an operator does

  get settings(): SpeakerSettings {
    return this.#settings
  }

  /** Other settings: what differs is applied, and nothing else is touched. Throws, with nothing changed, as the constructor. */
  apply(settings: SpeakerSettings): void {
    this.#checkFilters(settings)
    const isOther = !isSame(lifeOf(this.#settings), lifeOf(settings))
    this.#settings = settings
    this.#identity = this.#identityOf(settings)
    if (isOther) this.#beginAgain()
    this.#life.neighbours.configure(settings.neighbours)
    this.#own.configure(settings.networks)
    this.#configureFib()
    this.#touched()
  }

  announce(networks: readonly Network[]): void {
    this.#own.announce(networks)
    this.#configureFib()
    this.#touched()
  }

  /** Answers the prefixes that were not announced by announce(). */
  withdraw(prefixes: readonly string[]): readonly string[] {
    const unknown = this.#own.withdraw(prefixes)
    this.#configureFib()
    this.#touched()
    return unknown
  }

  enable(address: string): void {
    this.#require(address).peer.enable()
  }

  /** Ends the session with Cease 6/2, and lets no other begin. */
  disable(address: string, text = ''): void {
    this.#require(address).peer.disable(text)
  }

  /** Ends the session with Cease 6/4, and begins another. */
  reset(address: string, text = ''): void {
    this.#require(address).peer.reset(text)
  }

  /** Before a planned end, so that packets go other ways when it comes; or not any more. RFC 8326. */
  drain(address: string, isDrained = true): void {
    this.#require(address).drain(isDrained)
  }

  /** Asks for the peer's routes again. Answers the families that it was asked for. */
  refresh(address: string): readonly Family[] {
    const { peer } = this.#require(address)
    return FAMILIES.filter((family) => peer.requestRefresh(family))
  }

  /** Tells every peer Cease 6/2. The kernel's routes go, unless they are to persist. */
  stop(text = ''): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#deferral.close()
    this.#cancelSweep()
    this.#cancelRound?.()
    this.#cancelRound = undefined
    this.#endLife(text)
    this.#options.fib?.close(this.#settings.kernel?.persist ? 'leave' : 'remove')
  }

  // What is to be seen

  neighbours(): readonly NeighbourStatus[] {
    return this.#life.neighbours.all.map(({ status }) => status)
  }

  neighbour(address: string): NeighbourStatus | undefined {
    return this.#life.neighbours.get(address)?.status
  }

  /** Its tables; views.ts makes rows of them. */
  get ribs(): Ribs {
    return this.#life.ribs
  }

  /** What a neighbour has announced. Throws RangeError when there is none of this address. */
  received(address: string, family: Family): ReturnType<Neighbour['received']> {
    return this.#require(address).received(family)
  }

  /** What is announced beside the configuration. */
  get announced(): readonly Network[] {
    return this.#own.announced
  }

  /** It waits for the routes of its peers after a restart. */
  get isDeferring(): boolean {
    return !this.#deferral.isOver
  }

  // Lives

  #begin(): Life {
    const { node } = this.#options
    const { routerId, as, listen, preferOlder } = this.#settings
    const resolve = (address: string, linkLocal: string | undefined) => node.resolve(address, linkLocal)
    const ribs = new Ribs({ routerId, as, preferOlder, resolve })
    const neighbours = new Neighbourhood(this.#speaking(), this.#owner(ribs), listen)
    const unwatch = node.watch(() => this.#nodeChanged())
    return { ribs, neighbours, unwatch }
  }

  #endLife(text: string): void {
    const { neighbours, unwatch } = this.#life
    unwatch()
    neighbours.close(text)
  }

  #beginAgain(): void {
    const { tables } = this.#life.ribs
    for (const family of FAMILIES) this.#options.fib?.update(family, tables[family].keys(), () => NO_PATHS)
    this.#endLife('other configuration')
    this.#life = this.#begin()
    this.#own.moveTo(this.#life.ribs)
    this.#options.fib?.sweep()
  }

  #speaking(): Speaking {
    const { transport, clock, random, restarted } = this.#options
    const isDeferring = () => this.isDeferring
    return {
      id: this.#settings.routerId,
      clock,
      turns: new ReadingTurns(clock),
      observers: this.observers,
      random,
      transport,
      restart: {
        get restarting() {
          return isDeferring()
        },
        forwarding: () => restarted,
      },
      asSets: 'accept',
      attributes: (kind) => this.#interners.get(kind),
    }
  }

  #owner(ribs: Ribs): NeighbourOwner {
    const { node, clock, startBfd, log } = this.#options
    const identity = () => this.#identity
    return {
      ribs,
      node,
      clock,
      startBfd,
      get identity() {
        return identity()
      },
      touched: () => this.#touched(),
      changed: () => this.#changed(),
      log: (text) => log('info', text),
    }
  }

  #require(address: string): Neighbour {
    const neighbour = this.#life.neighbours.get(address)
    if (!neighbour) throw new RangeError(`There is no neighbour "${address}"`)
    return neighbour
  }

  #identityOf(settings: SpeakerSettings): SpeakerIdentity {
    const { as, routerId } = settings
    return { as, routerId, clusterIds: clustersOf(settings), filters: this.#filters }
  }

  #checkFilters({ neighbours }: SpeakerSettings): void {
    for (const { filters } of neighbours) for (const rules of Object.values(filters)) this.#filters.get(rules)
  }

  // Rounds

  #touched(): void {
    if (this.#cancelRound || this.isDeferring || !this.#isOpen) return
    const { clock } = this.#options
    const rest = Math.min(Math.max(0, this.#restUntil - clock.now()), LONGEST_REST)
    this.#cancelRound = clock.after(rest, () => {
      this.#cancelRound = undefined
      this.#round()
    })
  }

  #round(): void {
    const { clock, fib } = this.#options
    const { ribs } = this.#life
    const begin = clock.now()
    const isMore = ribs.settle((family, changes) => {
      fib?.update(family, changes.keys(), (key) => toInstall(ribs.tables[family].equal(key)))
      this.observers.settled(family, changes)
    })
    const end = clock.now()
    this.#restUntil = end + (end - begin)
    if (isMore) this.#touched()
  }

  #changed(): void {
    this.#deferral.check(this.#life.neighbours.all)
    this.#options.changed?.()
  }

  #nodeChanged(): void {
    const { ribs, neighbours } = this.#life
    for (const neighbour of neighbours.all) {
      neighbour.checkLink()
      neighbour.reviseRules()
    }
    ribs.resolveAgain()
    this.#touched()
  }

  #goOn(why: string): void {
    const { fib, log } = this.#options
    log('info', `The restart is over: ${why}`)
    this.#round()
    fib?.sweep()
  }

  #configureFib(): void {
    const { kernel } = this.#settings
    if (kernel) this.#options.fib?.configure(kernel, this.#own.blackholes)
  }

  /** Routes of an earlier life that nobody has announced again. */
  #sweepLeftovers(): void {
    const { fib, clock, restarted } = this.#options
    if (!fib || restarted) return
    if (this.#settings.kernel?.persist) this.#cancelSweep = clock.after(DEFERRAL, () => fib.sweep())
    else fib.sweep()
  }
}

/** Paths that a kernel route goes by. Where packets go that this speaker has announced itself is not its to say. */
export function toInstall(paths: readonly Path[]): readonly Path[] {
  return paths[0]?.source.peer.kind === 'local' ? NO_PATHS : paths
}

function lifeOf({ routerId, as, listen, preferOlder }: SpeakerSettings): unknown {
  return [routerId, as, listen, preferOlder]
}

/** Settings are plain values. */
function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
