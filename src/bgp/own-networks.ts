/**
 * What begins at this speaker: networks of its configuration, and what is announced while it runs. Of a prefix that is both,
 * the announcement counts; when it is withdrawn, the network is there again.
 */
import { familyOfKey, type PrefixKey, parsePrefixKey } from './nlri.ts'
import { OWN_ATTRIBUTES, type OwnRoute } from './rib/own-routes.ts'
import type { Ribs } from './rib/ribs.ts'
import type { Network } from './speaker-settings.ts'

/** Prefixes of this length are single addresses, which somebody here has: nothing is left of them to go nowhere. */
const HOST = { ipv4: 32, ipv6: 128 } as const

export class OwnNetworks {
  #ribs: Ribs
  #networks = new Map<PrefixKey, Network>()
  readonly #announced = new Map<PrefixKey, Network>()
  /** Networks with the same communities are the same route. */
  readonly #routes = new Map<string, OwnRoute>()

  constructor(ribs: Ribs) {
    this.#ribs = ribs
  }

  /** The tables are new ones: everything is announced into them. */
  moveTo(ribs: Ribs): void {
    this.#ribs = ribs
    for (const key of new Set([...this.#networks.keys(), ...this.#announced.keys()])) this.#put(key)
  }

  configure(networks: readonly Network[]): void {
    const before = this.#networks
    this.#networks = new Map(networks.map((network) => [parsePrefixKey(network.prefix), network]))
    for (const key of before.keys()) if (!this.#networks.has(key)) this.#put(key)
    for (const key of this.#networks.keys()) this.#put(key)
  }

  announce(networks: readonly Network[]): void {
    for (const network of networks) {
      const key = parsePrefixKey(network.prefix)
      this.#announced.set(key, network)
      this.#put(key)
    }
  }

  /** Answers the prefixes that were not announced. Networks of the configuration are not taken back. */
  withdraw(prefixes: readonly string[]): readonly string[] {
    return prefixes.filter((prefix) => {
      const key = parsePrefixKey(prefix)
      const had = this.#announced.delete(key)
      if (had) this.#put(key)
      return !had
    })
  }

  /** What is announced beside the configuration. */
  get announced(): readonly Network[] {
    return [...this.#announced.values()]
  }

  /** Prefixes of which the unused addresses go nowhere. */
  get blackholes(): readonly string[] {
    const all = new Map([...this.#networks, ...this.#announced])
    return [...all].flatMap(([key, { prefix, blackhole }]) => {
      const length = Number(prefix.slice(prefix.indexOf('/') + 1))
      return blackhole && length < HOST[familyOfKey(key)] ? prefix : []
    })
  }

  #put(key: PrefixKey): void {
    const own = this.#ribs.own[familyOfKey(key)]
    const network = this.#announced.get(key) ?? this.#networks.get(key)
    if (network) own.announce([key], this.#routeOf(network))
    else own.withdraw([key])
  }

  #routeOf({ communities }: Network): OwnRoute {
    const name = communities.join(' ')
    const known = this.#routes.get(name)
    if (known) return known
    const attributes = Object.freeze({ ...OWN_ATTRIBUTES, communities })
    const route: OwnRoute = { attributes, interface: undefined, priority: undefined }
    this.#routes.set(name, route)
    return route
  }
}
