/**
 * One prefix, one writer: what goes through a tunnel is written by whoever keeps the tunnels (tunnel-state.ts), as in Calico by
 * Felix and not by BIRD. The speaker learns these prefixes all the same, and passes them on; its kernel routes leave them out.
 *
 * The store says which these are, and not the next hop: behind a reflector or a router that would be another node's.
 */
import type { Family } from '../bgp/family.ts'
import { familyOfKey, type PrefixKey, parsePrefixKey } from '../bgp/nlri.ts'
import type { Fib } from '../bgp/node.ts'
import type { Path } from '../bgp/rib/path.ts'
import type { KernelSettings } from '../bgp/speaker-settings.ts'

const NO_PATHS: readonly Path[] = []

export class TunnelledFib implements Fib {
  readonly #fib: Fib
  #tunnelled: ReadonlySet<PrefixKey> = new Set()

  constructor(fib: Fib) {
    this.#fib = fib
  }

  /** These go through a tunnel from now on, and no others. `pathsOf`: what the speaker has for a prefix. */
  leave(prefixes: readonly string[], pathsOf: (family: Family, key: PrefixKey) => readonly Path[]): void {
    const before = this.#tunnelled
    this.#tunnelled = new Set(prefixes.map(parsePrefixKey))
    const changed = [...new Set([...before, ...this.#tunnelled])].filter(
      (key) => before.has(key) !== this.#tunnelled.has(key),
    )
    const { ipv4 = [], ipv6 = [] } = Object.groupBy(changed, familyOfKey)
    for (const [family, keys] of [
      ['ipv4', ipv4],
      ['ipv6', ipv6],
    ] as const) {
      if (keys.length > 0) this.update(family, keys, (key) => pathsOf(family, key))
    }
  }

  configure(settings: KernelSettings, blackholes: readonly string[]): void {
    this.#fib.configure(settings, blackholes)
  }

  update(family: Family, keys: Iterable<PrefixKey>, paths: (key: PrefixKey) => readonly Path[]): void {
    this.#fib.update(family, keys, (key) => (this.#tunnelled.has(key) ? NO_PATHS : paths(key)))
  }

  sweep(): void {
    this.#fib.sweep()
  }

  get isSettled(): boolean {
    return this.#fib.isSettled
  }

  get refused(): Fib['refused'] {
    return this.#fib.refused
  }

  close(what: 'leave' | 'remove'): void {
    this.#fib.close(what)
  }
}
