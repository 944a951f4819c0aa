/**
 * A speaker's routes in its kernel: node.ts on reconcile/route-keeper.ts.
 *
 *   update(prefixes) ──> hop-sets.ts: by which next hops ──> route-keeper.ts ──> kernel
 *   links, addresses, others' routes ──> kernel-node.ts ──> hop-sets.ts: other ways
 *
 * A route whose next hops have no way stays as it is: the speaker hears of the same change, decides again, and may have another
 * path, which then replaces the one that is there. Nothing is taken away to be added again a moment later.
 *
 * With another protocol number or table all routes are taken away and written anew.
 */
import type { LiveKernel } from '../../kernel/live.ts'
import type { Clock } from '../../reconcile/keep.ts'
import { RouteKeeper, type RouteKeeperEvents } from '../../reconcile/route-keeper.ts'
import { Way } from '../../reconcile/way.ts'
import type { Family } from '../family.ts'
import { formatPrefixKey, type PrefixKey, parsePrefixKey } from '../nlri.ts'
import type { Fib } from '../node.ts'
import type { Path } from '../rib/path.ts'
import type { KernelSettings } from '../speaker-settings.ts'
import { HopSets } from './hop-sets.ts'
import type { KernelNode } from './kernel-node.ts'

/** Sets of next hops that may be there before those are looked for that nothing goes by. */
const MANY_SETS = 4096

export interface KernelFibOptions {
  readonly kernel: LiveKernel
  readonly clock: Clock
  readonly node: KernelNode
  readonly events?: RouteKeeperEvents
}

interface State {
  settings: KernelSettings
  readonly sets: HopSets
  keeper: RouteKeeper<PrefixKey>
}

export class KernelFib implements Fib {
  readonly #options: KernelFibOptions
  readonly #unwatch: () => void
  #state: State | undefined
  #blackholes = new Map<PrefixKey, Way>()

  constructor(options: KernelFibOptions) {
    this.#options = options
    this.#unwatch = options.node.watch(() => this.#refresh())
  }

  configure(settings: KernelSettings, blackholes: readonly string[]): void {
    const state = this.#state
    if (!state) this.#begin(settings)
    else if (state.settings.protocol !== settings.protocol || state.settings.table !== settings.table)
      this.#move(settings)
    else {
      state.settings = settings
      this.#refresh()
    }
    this.#setBlackholes(settings, blackholes)
  }

  update(_family: Family, keys: Iterable<PrefixKey>, paths: (key: PrefixKey) => readonly Path[]): void {
    const { sets, keeper } = this.#require()
    const blackholes = this.#blackholes
    keeper.amend(changes())
    if (sets.size > MANY_SETS) sets.forgetBut(new Set(Array.from(keeper.wanted(), ([, way]) => way)))

    function* changes(): Generator<[PrefixKey, Way | undefined]> {
      for (const key of keys) {
        const its = paths(key)
        yield [key, blackholes.get(key) ?? (isSome(its) ? sets.wayOf(its) : undefined)]
      }
    }
  }

  sweep(): void {
    this.#state?.keeper.sweep()
  }

  get isSettled(): boolean {
    return this.#state?.keeper.isSettled ?? true
  }

  get refused(): readonly { readonly what: string; readonly why: string }[] {
    return this.#state?.keeper.refused ?? []
  }

  close(what: 'leave' | 'remove'): void {
    this.#unwatch()
    if (what === 'remove') this.#state?.keeper.remove()
    else this.#state?.keeper.close()
    this.#state = undefined
  }

  #begin(settings: KernelSettings): void {
    const { node } = this.#options
    node.setProtocol(settings.protocol)
    const sets = new HopSets((address, linkLocal) => node.wayTo(address, linkLocal), settings)
    this.#state = { settings, sets, keeper: this.#keeper(settings) }
  }

  #move(settings: KernelSettings): void {
    const state = this.#require()
    const wanted = [...state.keeper.wanted()]
    state.keeper.remove()
    this.#options.node.setProtocol(settings.protocol)
    state.settings = settings
    state.keeper = this.#keeper(settings)
    state.keeper.amend(wanted)
    this.#refresh()
  }

  #keeper({ protocol, table }: KernelSettings): RouteKeeper<PrefixKey> {
    const { kernel, clock, events } = this.#options
    const keys = { keyOf: parsePrefixKey, destinationOf: formatPrefixKey }
    return new RouteKeeper({ kernel, clock, protocol, table, ...keys, ...(events && { events }) })
  }

  #refresh(): void {
    if (!this.#state) return
    const { settings, sets, keeper } = this.#state
    const changes = sets.refresh(settings)
    if (changes.size > 0) keeper.exchange(changes)
  }

  #setBlackholes({ metric }: KernelSettings, prefixes: readonly string[]): void {
    const before = this.#blackholes
    const way = new Way({ type: 'blackhole', metric })
    this.#blackholes = new Map(prefixes.map((prefix) => [parsePrefixKey(prefix), way]))
    const gone = [...before.keys()].filter((key) => !this.#blackholes.has(key))
    this.#require().keeper.amend([...gone.map((key) => [key, undefined] as const), ...this.#blackholes])
  }

  #require(): State {
    if (!this.#state) throw new TypeError('Cannot keep routes: configure has not been called')
    return this.#state
  }
}

function isSome<T>(list: readonly T[]): list is readonly [T, ...T[]] {
  return list.length > 0
}
